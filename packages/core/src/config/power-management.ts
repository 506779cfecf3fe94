import { PCI_D3hot, PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK } from '@vfiokit/pci';
import { inDwordOf, type RegisterHook } from './config-owner.js';
import type { ConfigEffects } from './effects.js';

/**
 * PMCSR: the host changes the D-state in the user's stead, and memory is out of reach from D3hot on
 * (vfio_pci_config.c: vfio_pm_config_write).
 */
export function powerManagementHook(start: number, effects: ConfigEffects): RegisterHook {
  return {
    writes: inDwordOf(start + PCI_PM_CTRL),
    write(position, size, value, plain) {
      const error = plain.write(position, size, value);
      if (error < 0 || position !== start + PCI_PM_CTRL) return error;
      const state = value & PCI_PM_CTRL_STATE_MASK;
      if (state === PCI_D3hot) effects.suspendMemory();
      effects.setPowerState(state);
      effects.resumeMemory();
      return 0;
    },
  };
}
