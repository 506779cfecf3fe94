import type { ConfigAccess } from '@vfiokit/pci';
import { inDwordOf, type RegisterHook } from './config-owner.js';
import type { ConfigEffects } from './effects.js';
import { resetByRegister } from './express.js';

const AF_CAP = 0x03;
const AF_CAP_TP = 0x01;
const AF_CAP_FLR = 0x02;
const AF_CTRL = 0x04;
const AF_CTRL_FLR = 0x01;

/** The FLR of conventional PCI (vfio_pci_config.c: vfio_af_config_write). */
export function advancedFeaturesHook(
  start: number,
  vconfig: Uint8Array,
  config: ConfigAccess,
  effects: ConfigEffects,
): RegisterHook {
  return {
    writes: inDwordOf(start + AF_CTRL),
    write(position, size, value, plain) {
      const error = plain.write(position, size, value);
      if (error < 0) return error;
      if ((vconfig[start + AF_CTRL]! & AF_CTRL_FLR) === 0) return 0;
      vconfig[start + AF_CTRL]! &= ~AF_CTRL_FLR;
      const capabilities = config.read(start + AF_CAP, 1);
      const both = AF_CAP_FLR | AF_CAP_TP;
      if (capabilities >= 0 && (capabilities & both) === both) resetByRegister(effects);
      return 0;
    },
  };
}
