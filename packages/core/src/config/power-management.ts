import { inDwordOf, type RegisterHook } from './config-owner.js';
import type { ConfigEffects } from './effects.js';

const PMCSR = 0x04;
const D3_HOT = 3;

/**
 * PMCSR: the host changes the D-state in the user's stead, and memory is out of reach from D3hot on
 * (vfio_pci_config.c: vfio_pm_config_write).
 */
export function powerManagementHook(start: number, effects: ConfigEffects): RegisterHook {
  return {
    writes: inDwordOf(start + PMCSR),
    write(position, size, value, plain) {
      const error = plain.write(position, size, value);
      if (error < 0 || position !== start + PMCSR) return error;
      const state = value & 3;
      if (state === D3_HOT) effects.suspendMemory();
      effects.setPowerState(state);
      effects.resumeMemory();
      return 0;
    },
  };
}
