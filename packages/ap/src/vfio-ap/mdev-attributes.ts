import { type Attribute, attempt, type KernelLog } from '@vfiokit/driver-model';
import type { MdevDevice } from '@vfiokit/mdev';
import { formatApConfig } from '../arch/mask-grammar.js';
import { ASSIGNABLE, type Assignable } from '../passthrough/assignable.js';
import { formatControlDomains, formatQueues } from '../passthrough/matrix-text.js';
import type { ApMatrixMdev } from './ap-matrix-mdev.js';
import { assign, setApConfig, unassign } from './assignment.js';

/**
 * The files of a mediated matrix device, `/sys/devices/vfio_ap/matrix/<uuid>/`, beside those of every mediated device.
 *
 * @param of finds the matrix of a device.
 * @param hotPlug whether the kernel is one that filters, and so has something to show of it.
 */
export function mdevAttributes(
  log: KernelLog,
  of: (device: MdevDevice) => ApMatrixMdev,
  hotPlug: boolean,
): readonly Attribute<MdevDevice>[] {
  const writable = (
    name: string,
    store: (mdev: ApMatrixMdev, text: string) => void,
  ): Attribute<MdevDevice> => ({
    name,
    mode: 0o200,
    store: (device, text) => attempt(log, () => store(of(device), text)),
  });
  const readable = (name: string, show: (mdev: ApMatrixMdev) => string): Attribute<MdevDevice> => ({
    name,
    mode: 0o444,
    show: (device) => show(of(device)),
  });
  const assignables = Object.keys(ASSIGNABLE) as Assignable[];
  return [
    ...assignables.flatMap((what) => [
      writable(`assign_${what}`, (mdev, text) => assign(mdev, what, text)),
      writable(`unassign_${what}`, (mdev, text) => unassign(mdev, what, text)),
    ]),
    readable('control_domains', ({ matrix }) => formatControlDomains(matrix.adm)),
    readable('matrix', ({ matrix }) => formatQueues(matrix)),
    ...(hotPlug
      ? [
          readable('guest_matrix', ({ shadow }) => formatQueues(shadow)),
          {
            ...readable('ap_config', ({ matrix }) => formatApConfig(matrix)),
            ...writable('ap_config', setApConfig),
            mode: 0o644,
          },
        ]
      : []),
  ];
}
