import { PCI_VPD_ADDR, PCI_VPD_ADDR_F, PCI_VPD_DATA } from '@vfiokit/pci';
import { inDwordOf, type RegisterHook } from './config-owner.js';
import type { ConfigEffects } from './effects.js';

/** The byte with the flag, whose write starts the transfer. */
const FLAG_BYTE = PCI_VPD_ADDR + 1;

/**
 * Vital Product Data: the user's address and data registers are virtual, and the host's VPD service reads or writes the
 * four bytes before the write returns. A request that failed never completes: its flag stays (quirk W31;
 * vfio_pci_config.c: vfio_vpd_config_write).
 */
export function vpdHook(start: number, vconfig: Uint8Array, effects: ConfigEffects): RegisterHook {
  const view = new DataView(vconfig.buffer, vconfig.byteOffset);
  return {
    writes: inDwordOf(start + FLAG_BYTE),
    write(position, size, value, plain) {
      const error = plain.write(position, size, value);
      if (error < 0) return error;
      const offset = position - start;
      if (offset > FLAG_BYTE || offset + size <= FLAG_BYTE) return 0;
      const address = view.getUint16(start + PCI_VPD_ADDR, true);
      const data = vconfig.subarray(start + PCI_VPD_DATA, start + PCI_VPD_DATA + 4);
      if (address & PCI_VPD_ADDR_F) {
        if (effects.writeVpd(address & ~PCI_VPD_ADDR_F, data.slice()) !== 4) return 0;
      } else {
        const bytes = new Uint8Array(4);
        if (effects.readVpd(address, bytes) < 0) return 0;
        data.set(bytes);
      }
      view.setUint16(start + PCI_VPD_ADDR, address ^ PCI_VPD_ADDR_F, true);
      return 0;
    },
  };
}
