import {
  type ConfigAccess,
  PCI_AF_CAP,
  PCI_AF_CAP_FLR,
  PCI_AF_CAP_TP,
  PCI_AF_CTRL,
  PCI_AF_CTRL_FLR,
} from '@vfiokit/pci';
import { inDwordOf, type RegisterHook } from './config-owner.js';
import type { ConfigEffects } from './effects.js';
import { resetByRegister } from './express.js';

/** The FLR of conventional PCI (vfio_pci_config.c: vfio_af_config_write). */
export function advancedFeaturesHook(
  start: number,
  vconfig: Uint8Array,
  config: ConfigAccess,
  effects: ConfigEffects,
): RegisterHook {
  return {
    writes: inDwordOf(start + PCI_AF_CTRL),
    write(position, size, value, plain) {
      const error = plain.write(position, size, value);
      if (error < 0) return error;
      if ((vconfig[start + PCI_AF_CTRL]! & PCI_AF_CTRL_FLR) === 0) return 0;
      vconfig[start + PCI_AF_CTRL]! &= ~PCI_AF_CTRL_FLR;
      const capabilities = config.read(start + PCI_AF_CAP, 1);
      const both = PCI_AF_CAP_FLR | PCI_AF_CAP_TP;
      if (capabilities >= 0 && (capabilities & both) === both) resetByRegister(effects);
      return 0;
    },
  };
}
