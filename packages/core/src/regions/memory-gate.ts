import type { PciDevice } from '@vfiokit/pci';

const D3_HOT = 3;
const COMMAND_MEMORY = 0x02;

/**
 * Whether the device's memory may be touched: out of D3 and with memory decoding on as the user sees it
 * (vfio_pci_config.c: __vfio_pci_memory_enabled). The virtual COMMAND counts, not the device's.
 */
export class MemoryGate {
  readonly #always: boolean;

  constructor(
    private readonly pdev: Pick<PciDevice, 'currentState' | 'noCommandMemory'>,
    private readonly vconfig: Uint8Array,
  ) {
    this.#always = pdev.noCommandMemory;
  }

  get open(): boolean {
    return (
      this.pdev.currentState < D3_HOT && (this.#always || (this.vconfig[4]! & COMMAND_MEMORY) !== 0)
    );
  }
}
