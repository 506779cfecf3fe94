import {
  type ConfigAccess,
  PCI_EXP_DEVCAP,
  PCI_EXP_DEVCAP_FLR,
  PCI_EXP_DEVCTL,
  PCI_EXP_DEVCTL_BCR_FLR,
  PCI_EXP_DEVCTL_READRQ,
} from '@vfiokit/pci';
import { inDwordOf, type RegisterHook } from './config-owner.js';
import type { ConfigEffects } from './effects.js';

/**
 * Device Control of PCI Express: the FLR bit resets the function, the read request size is passed to the host, which
 * knows what the path to memory bears (vfio_pci_config.c: vfio_exp_config_write).
 */
export function expressHook(
  start: number,
  vconfig: Uint8Array,
  config: ConfigAccess,
  effects: ConfigEffects,
): RegisterHook {
  const view = new DataView(vconfig.buffer, vconfig.byteOffset);
  const control = () => view.getUint16(start + PCI_EXP_DEVCTL, true);
  return {
    writes: inDwordOf(start + PCI_EXP_DEVCTL),
    write(position, size, value, plain) {
      const readRequest = control() & PCI_EXP_DEVCTL_READRQ;
      const error = plain.write(position, size, value);
      if (error < 0) return error;
      if (control() & PCI_EXP_DEVCTL_BCR_FLR) {
        view.setUint16(start + PCI_EXP_DEVCTL, control() & ~PCI_EXP_DEVCTL_BCR_FLR, true);
        const capabilities = config.read(start + PCI_EXP_DEVCAP, 4);
        if (capabilities >= 0 && capabilities & PCI_EXP_DEVCAP_FLR) resetByRegister(effects);
      }
      if ((control() & PCI_EXP_DEVCTL_READRQ) !== readRequest) {
        const asked = 128 << ((control() & PCI_EXP_DEVCTL_READRQ) >>> 12);
        effects.setReadRequest(Math.max(asked, effects.maxPayload));
      }
      return 0;
    },
  };
}

/** What an FLR asked for through configuration space does to the device as a whole. */
export function resetByRegister(effects: ConfigEffects): void {
  effects.suspendMemory();
  effects.resetFunction();
  effects.resumeMemory();
}
