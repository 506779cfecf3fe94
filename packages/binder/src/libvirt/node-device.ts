import { VfioError } from '@vfiokit/uapi';
import type { HostDevice } from './host-devices.js';

/**
 * The device that a manual detach means, by the driver name that the operator gives: none or `vfio` is the default
 * choice, any other a driver to force (from 9.7.0).
 *
 * @throws VfioError `EOPNOTSUPP` for `kvm`, which is gone, and on a host without VFIO.
 */
export function manualDetach(
  address: string,
  driver: string | undefined,
  hostHasVfio: boolean,
): HostDevice {
  if (driver === 'kvm')
    throw new VfioError(
      'EOPNOTSUPP',
      `${address}: KVM's own device assignment is no longer supported; use vfio`,
    );
  if (!hostHasVfio)
    throw new VfioError('EOPNOTSUPP', `${address}: this host has no VFIO; is the IOMMU on?`);
  const forced = driver !== undefined && driver !== 'vfio';
  return { address, managed: false, stub: 'vfio', ...(forced ? { model: driver } : {}) };
}

/** What libvirt knows of a device when it has to be reset. */
export interface ResetFacts {
  readonly address: string;
  readonly boundToVfio: boolean;
  readonly isVirtfn: boolean;
  /** By the PCI Express or the Advanced Features capability. */
  readonly flr: boolean;
  /** Keeps its registers over a power cycle (No_Soft_Reset). */
  readonly noSoftReset: boolean;
  readonly hasPm: boolean;
  readonly onRootBus: boolean;
  /** Other devices of its bus. */
  readonly neighbours: readonly string[];
}

/** How a device is reset: not at all, by whoever opens it, by power, by its bus. */
export type ResetChoice = 'kernel' | 'flr' | 'pm' | 'bus';

/**
 * The reset that libvirt chooses (virpci.c: virPCIDeviceReset).
 *
 * @throws VfioError `EBUSY` where a neighbour would be reset as well that is not free, `EOPNOTSUPP` without any way.
 */
export function chooseReset(facts: ResetFacts, inactive: ReadonlySet<string>): ResetChoice {
  const { address, boundToVfio, isVirtfn, flr, hasPm, noSoftReset, onRootBus, neighbours } = facts;
  if (boundToVfio) return 'kernel';
  if (flr || isVirtfn) return 'flr';
  if (hasPm && !noSoftReset) return 'pm';
  if (onRootBus)
    throw new VfioError(
      'EOPNOTSUPP',
      `${address}: no way to reset it: no FLR, no PM reset, and it is on a root bus`,
    );
  const busy = neighbours.find((one) => !inactive.has(one));
  if (busy !== undefined)
    throw new VfioError(
      'EBUSY',
      `${address}: a reset of its bus would reset ${busy} as well; detach that first`,
    );
  return 'bus';
}
