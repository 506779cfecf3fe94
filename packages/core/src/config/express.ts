import type { ConfigAccess } from '@vfiokit/pci';
import { inDwordOf, type RegisterHook } from './config-owner.js';
import type { ConfigEffects } from './effects.js';

const DEVCAP = 0x04;
const DEVCAP_FLR = 0x10000000;
const DEVCTL = 0x08;
const DEVCTL_FLR = 0x8000;
const DEVCTL_READRQ = 0x7000;

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
  const control = () => view.getUint16(start + DEVCTL, true);
  return {
    writes: inDwordOf(start + DEVCTL),
    write(position, size, value, plain) {
      const readRequest = control() & DEVCTL_READRQ;
      const error = plain.write(position, size, value);
      if (error < 0) return error;
      if (control() & DEVCTL_FLR) {
        view.setUint16(start + DEVCTL, control() & ~DEVCTL_FLR, true);
        const capabilities = config.read(start + DEVCAP, 4);
        if (capabilities >= 0 && capabilities & DEVCAP_FLR) resetByRegister(effects);
      }
      if ((control() & DEVCTL_READRQ) !== readRequest) {
        const asked = 128 << ((control() & DEVCTL_READRQ) >>> 12);
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
