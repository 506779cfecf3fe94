import { EIO } from '@vfiokit/uapi';
import { PCI_CAP_ID_PM, PCI_D0, PCI_D3hot } from '../regs/index.js';
import type { PciDevice } from './pci-device.js';
import type { RuntimePmBus, RuntimePmCallbacks } from './runtime-pm.js';

/** How PCI functions are suspended and resumed while the system runs (drivers/pci/pci-driver.c: pci_pm_runtime_*). */
export class PciRuntimePmBus implements RuntimePmBus {
  constructor(private readonly device: PciDevice) {}

  /** The driver's callback, then the state is saved and the function put into the target state. */
  suspend(callbacks: RuntimePmCallbacks | undefined): number {
    const { device } = this;
    // A function without a driver stays in D0, but what is above it may lose power.
    if (callbacks === undefined) {
      device.saveState();
      return 0;
    }
    device.loadSavedState(undefined);
    const error = callbacks.suspend?.() ?? 0;
    if (error < 0) return error;
    // A driver that saved the state itself has also chosen the power state.
    if (device.storeSavedState() === undefined) {
      device.saveState();
      device.setPowerState(this.#targetState());
    }
    return 0;
  }

  /** D0, the saved state, then the driver's callback. */
  resume(callbacks: RuntimePmCallbacks | undefined): number {
    const { device } = this;
    const refused = device.platform.resume?.(device) ?? 0;
    if (refused < 0) return refused;
    device.setPowerState(PCI_D0);
    if (device.currentState > PCI_D3hot) return -EIO;
    device.restoreState();
    return callbacks?.resume?.() ?? 0;
  }

  #targetState(): number {
    const { device } = this;
    const chosen = device.platform.targetState?.(device);
    if (chosen !== undefined) return chosen;
    return device.findCapability(PCI_CAP_ID_PM) === 0 ? PCI_D0 : PCI_D3hot;
  }
}
