import { PCI_COMMAND, PCI_COMMAND_INTX_DISABLE, PCI_D0 } from '../regs/index.js';
import type { PciDevice } from './pci-device.js';

/** What precedes a reset: the driver is told, the state saved, everything switched off (pci_dev_save_and_disable). */
export function saveAndDisable(device: PciDevice): void {
  device.resetHooks?.prepare?.();
  device.setPowerState(PCI_D0);
  device.saveState();
  device.config.write(PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE);
}

/** What follows a reset (pci_dev_restore). */
export function restoreAfterReset(device: PciDevice): void {
  device.restoreState();
  device.resetHooks?.done?.();
}
