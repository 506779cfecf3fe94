import { inDwordOf, type RegisterHook } from './config-owner.js';
import type { ConfigEffects } from './effects.js';

const ADDRESS = 0x02;
const DATA = 0x04;
const FLAG = 0x8000;

/**
 * Vital Product Data: the user's address and data registers are virtual, and the host's VPD service reads or writes the
 * four bytes before the write returns. A request that failed never completes: its flag stays (quirk W31;
 * vfio_pci_config.c: vfio_vpd_config_write).
 */
export function vpdHook(start: number, vconfig: Uint8Array, effects: ConfigEffects): RegisterHook {
  const view = new DataView(vconfig.buffer, vconfig.byteOffset);
  return {
    writes: inDwordOf(start + ADDRESS + 1),
    write(position, size, value, plain) {
      const error = plain.write(position, size, value);
      if (error < 0) return error;
      const offset = position - start;
      if (offset > ADDRESS + 1 || offset + size <= ADDRESS + 1) return 0;
      const address = view.getUint16(start + ADDRESS, true);
      const data = vconfig.subarray(start + DATA, start + DATA + 4);
      if (address & FLAG) {
        if (effects.writeVpd(address & ~FLAG, data.slice()) !== 4) return 0;
      } else {
        const bytes = new Uint8Array(4);
        if (effects.readVpd(address, bytes) < 0) return 0;
        data.set(bytes);
      }
      view.setUint16(start + ADDRESS, address ^ FLAG, true);
      return 0;
    },
  };
}
