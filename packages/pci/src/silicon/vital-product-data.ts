import { PCI_VPD_ADDR_F, PCI_VPD_ADDR_MASK, PCI_VPD_DATA } from '../regs/index.js';
import type { ConfigSpace, RegisterEffect, RegisterWrite } from './config-space.js';

/**
 * Vital Product Data as hardware does it (PCI 3.0 appendix I): software writes an address with the flag as the direction
 * and waits for the flag to turn.
 *
 * Completion is immediate. A function with the capability but no storage never completes.
 */
export class VitalProductData implements RegisterEffect {
  constructor(
    private readonly config: ConfigSpace,
    private readonly at: number,
    private readonly storage: Uint8Array | undefined,
  ) {
    config.attach(at, this);
  }

  written({ lanes, after }: RegisterWrite): void {
    // The address register is the upper half; the flag in its last byte starts the transfer.
    if (lanes >>> 24 === 0 || this.storage === undefined) return;
    const address = (after >>> 16) & PCI_VPD_ADDR_MASK & ~3;
    const data = this.at + PCI_VPD_DATA;
    if (((after >>> 16) & PCI_VPD_ADDR_F) !== 0) {
      for (let i = 0; i < 4; i += 1)
        if (address + i < this.storage.length)
          this.storage[address + i] = this.config.bytes[data + i]!;
    } else {
      for (let i = 0; i < 4; i += 1) this.config.bytes[data + i] = this.storage[address + i] ?? 0;
    }
    this.config.poke32(this.at, after ^ (PCI_VPD_ADDR_F << 16));
  }
}
