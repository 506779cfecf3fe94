import {
  PCI_COMMAND,
  PCI_COMMAND_IO,
  PCI_COMMAND_MEMORY,
  PCI_D3hot,
  type PciDevice,
} from '@vfiokit/pci';

/**
 * Whether the device's memory may be touched: out of D3 and with memory decoding on as the user sees it
 * (vfio_pci_config.c: __vfio_pci_memory_enabled). The virtual COMMAND counts, not the device's.
 */
export class MemoryGate {
  readonly #always: boolean;
  readonly #bit: number;

  /** @param kind ports have the same rule with their own bit, where they are asked at all (quirk W17). */
  constructor(
    private readonly pdev: Pick<PciDevice, 'currentState' | 'noCommandMemory'>,
    private readonly vconfig: Uint8Array,
    kind: 'memory' | 'ports' = 'memory',
  ) {
    this.#always = kind === 'memory' && pdev.noCommandMemory;
    this.#bit = kind === 'memory' ? PCI_COMMAND_MEMORY : PCI_COMMAND_IO;
  }

  get open(): boolean {
    return (
      this.pdev.currentState < PCI_D3hot &&
      (this.#always || (this.vconfig[PCI_COMMAND]! & this.#bit) !== 0)
    );
  }
}
