import { PCI_D0 } from '@vfiokit/pci';
import { EINVAL } from '@vfiokit/uapi';
import type { OpenDevice } from './open-device.js';

/**
 * VFIO_DEVICE_RESET: 0, `-EINVAL` if no method worked when the device opened, `-EAGAIN` if its lock is taken, or what the method
 * fails with. The virtual configuration space, interrupts and ioeventfds stay (vfio_pci_core.c: vfio_pci_ioctl_reset).
 */
export function resetFunction(device: OpenDevice): number {
  if (!device.resetWorks) return -EINVAL;
  const { memoryLock, power } = device.core;
  return memoryLock.run(() => {
    device.mappings.zap();
    // A function in D3 would come out of the reset in D0 without anybody having noticed.
    power.set(PCI_D0);
    device.dmaBufs.move(true);
    const result = device.pdev.tryResetFunction();
    device.resumeMemory();
    return result;
  });
}
