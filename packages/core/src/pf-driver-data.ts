import type { PciDevice } from '@vfiokit/pci';
import { EINVAL } from '@vfiokit/uapi';

/**
 * The native driver of a VF's physical function, for drivers that need its help (drivers/pci/iov.c:
 * pci_iov_get_pf_drvdata). Which driver is expected is said by its class, so that nobody takes another's data for it.
 *
 * @returns the driver's data; `-EINVAL` if the function is no VF, or its PF is bound to something else or to nothing.
 */
export function pfDriverData<T extends object>(
  pdev: PciDevice,
  driver: abstract new (...args: never[]) => T,
): T | number {
  const data = pdev.physfn?.driverData;
  return data instanceof driver ? data : -EINVAL;
}

/** Which of its PF's VFs a function is, from 0; `-EINVAL` if it is none (drivers/pci/iov.c: pci_iov_vf_id). */
export function vfIndex(pdev: PciDevice): number {
  const index = pdev.physfn?.virtualFunctions.indexOf(pdev) ?? -1;
  return index < 0 ? -EINVAL : index;
}
