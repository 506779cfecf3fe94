import {
  type ConfigAccess,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_ENABLE,
  PCI_MSI_FLAGS_QSIZE,
} from '@vfiokit/pci';
import type { RegisterHook } from './config-owner.js';
import type { ConfigEffects } from './effects.js';

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
    writes: (position) =>
      position < start + PCI_MSI_FLAGS + 2 && position + 4 > start + PCI_MSI_FLAGS - 1,
    write(position, size, value, plain) {
      const error = plain.write(position, size, value);
      if (error < 0) return error;
      const offset = position - start;
      if (offset > PCI_MSI_FLAGS || offset + size < PCI_MSI_FLAGS) return 0;
      let flags = view.getUint16(start + PCI_MSI_FLAGS, true);
      if (!effects.msiActive) flags &= ~PCI_MSI_FLAGS_ENABLE;
      if ((flags & PCI_MSI_FLAGS_QSIZE) >>> 4 > effects.msiQmax)
        flags = (flags & ~PCI_MSI_FLAGS_QSIZE) | (effects.msiQmax << 4);
      view.setUint16(start + PCI_MSI_FLAGS, flags, true);
      return config.write(start + PCI_MSI_FLAGS, 2, flags);
    },
  };
}
