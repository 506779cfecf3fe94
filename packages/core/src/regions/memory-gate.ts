import type { PciDevice } from '@vfiokit/pci';

const D3_HOT = 3;
const COMMAND_IO = 0x01;
const COMMAND_MEMORY = 0x02;

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
    this.#bit = kind === 'memory' ? COMMAND_MEMORY : COMMAND_IO;
  }

  get open(): boolean {
    return (
      this.pdev.currentState < D3_HOT && (this.#always || (this.vconfig[4]! & this.#bit) !== 0)
    );
  }
}
