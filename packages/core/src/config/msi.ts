import type { ConfigAccess } from '@vfiokit/pci';
import type { RegisterHook } from './config-owner.js';
import type { ConfigEffects } from './effects.js';

const FLAGS = 0x02;
const FLAGS_ENABLE = 0x0001;
const FLAGS_QSIZE = 0x0070;

/**
 * The MSI flags: enable sticks only while MSI is the active interrupt type, the vector count not above what was
 * allocated, and both then go to hardware (vfio_pci_config.c: vfio_msi_config_write). A write of the id or next byte
 * that reaches up to the flags counts too (quirk W38).
 */
export function msiHook(
  start: number,
  vconfig: Uint8Array,
  config: ConfigAccess,
  effects: ConfigEffects,
): RegisterHook {
  const view = new DataView(vconfig.buffer, vconfig.byteOffset);
  return {
    // A chunk that ends at the flags' start counts too, so it may lie in the dword before.
    writes: (position) => position < start + FLAGS + 2 && position + 4 > start + FLAGS - 1,
    write(position, size, value, plain) {
      const error = plain.write(position, size, value);
      if (error < 0) return error;
      const offset = position - start;
      if (offset > FLAGS || offset + size < FLAGS) return 0;
      let flags = view.getUint16(start + FLAGS, true);
      if (!effects.msiActive) flags &= ~FLAGS_ENABLE;
      if ((flags & FLAGS_QSIZE) >>> 4 > effects.msiQmax)
        flags = (flags & ~FLAGS_QSIZE) | (effects.msiQmax << 4);
      view.setUint16(start + FLAGS, flags, true);
      return config.write(start + FLAGS, 2, flags);
    },
  };
}
