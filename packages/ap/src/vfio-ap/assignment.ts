import { kstrtoul } from '@vfiokit/driver-model';
import { VfioError } from '@vfiokit/uapi';
import { ApMask } from '../arch/mask.js';
import { parseApConfig } from '../arch/mask-grammar.js';
import { type ApMatrix, type MatrixMask, type QueueMatrix, queuesOf } from '../arch/matrix.js';
import { ASSIGNABLE, type Assignable } from '../passthrough/assignable.js';
import type { ApMatrixMdev } from './ap-matrix-mdev.js';

/**
 * Assigns an adapter, a usage domain or a control domain (vfio_ap_ops.c: assign_adapter_store and its siblings).
 *
 * Allowed at any time. The queues that it adds need not exist: they only must not be reserved for the host's drivers, nor
 * assigned to another device. Control domains are nobody's own.
 *
 * @param text what is written: one number.
 * @throws VfioError `EINVAL`, `ERANGE`, then `ENODEV`, `EADDRNOTAVAIL`, `EADDRINUSE`; nothing has changed then.
 */
export function assign(mdev: ApMatrixMdev, what: Assignable, text: string): void {
  const { matrixDev } = mdev;
  refuseWithGuest(mdev, `assign_${what}`);
  const mask = ASSIGNABLE[what];
  const id = parseId(mdev, `assign_${what}`, mask, text);
  if (mdev.matrix[mask].has(id)) return;
  const matrix: ApMatrix = { ...mdev.matrix, [mask]: mdev.matrix[mask].with(id) };
  if (mask === 'adm') {
    mdev.matrix = matrix;
    matrixDev.refilter(mdev, { queues: false, control: true });
    return;
  }
  checkAssignable(mdev, matrix);
  if (matrixDev.generation.needsBoundQueues) checkBound(mdev, { ...matrix, [mask]: ApMask.of(id) });
  mdev.matrix = matrix;
  matrixDev.linkQueues(mdev, { ...matrix, [mask]: ApMask.of(id) });
  if (matrixDev.generation.hotPlug) matrixDev.refilter(mdev, { queues: true, control: false });
}

/**
 * The opposite of {@link assign}. A guest loses what was assigned before anything is reset, and the call returns when it
 * is clean (unassign_adapter_store and its siblings).
 *
 * @throws VfioError `EINVAL`, `ERANGE`, `ENODEV`; what was never assigned is fine.
 */
export function unassign(mdev: ApMatrixMdev, what: Assignable, text: string): void {
  refuseWithGuest(mdev, `unassign_${what}`);
  const mask = ASSIGNABLE[what];
  const id = parseId(mdev, `unassign_${what}`, mask, text);
  if (!mdev.matrix[mask].has(id)) return;
  const before = mdev.matrix;
  if (mask === 'adm') {
    mdev.matrix = { ...before, adm: before.adm.without(id) };
    if (!mdev.shadow.adm.has(id)) return;
    mdev.shadow = { ...mdev.shadow, adm: mdev.shadow.adm.without(id) };
    mdev.push();
    return;
  }
  mdev.matrix = { ...before, [mask]: before[mask].without(id) };
  mdev.matrixDev.hotUnplug(mdev, mask, ApMask.of(id));
}

/**
 * Replaces all three masks at once, or nothing (vfio_ap_ops.c: ap_config_store). Ids that are too high are looked for
 * last here.
 *
 * @throws VfioError `EINVAL`, then `EADDRNOTAVAIL`, `EADDRINUSE`, `ENODEV`.
 */
export function setApConfig(mdev: ApMatrixMdev, text: string): void {
  const { matrixDev } = mdev;
  refuseWithGuest(mdev, 'ap_config');
  const next = parseApConfig(text);
  checkAssignable(mdev, next);
  const { apid, apqi } = mdev.highest;
  for (const [mask, highest] of [
    ['apm', apid],
    ['aqm', apqi],
    ['adm', apqi],
  ] as const)
    checkHighest(mdev, 'ap_config', next[mask].ids.at(-1) ?? 0, highest);
  const before = mdev.matrix;
  for (const mask of ['apm', 'aqm'] as const) {
    const removed = before[mask].andNot(next[mask]);
    if (!removed.isEmpty) matrixDev.hotUnplug(mdev, mask, removed);
  }
  mdev.matrix = next;
  matrixDev.linkQueues(mdev, { ...next, apm: next.apm.andNot(before.apm) });
  matrixDev.linkQueues(mdev, { ...next, aqm: next.aqm.andNot(before.aqm) });
  if (matrixDev.generation.hotPlug) matrixDev.refilter(mdev, { queues: true, control: true });
}

/** Reservation before sharing, over the whole matrix that would result. */
function checkAssignable(mdev: ApMatrixMdev, matrix: QueueMatrix): void {
  const { ownership } = mdev.matrixDev;
  if (ownership.anyOwnedByDefaultDrivers(matrix))
    throw new VfioError(
      'EADDRNOTAVAIL',
      `${mdev.uuid}: queues of the matrix are reserved for the host; take them out of apmask or aqmask first`,
    );
  const [holder] = mdev.matrixDev.sharers(matrix, mdev);
  if (holder !== undefined)
    throw new VfioError(
      'EADDRINUSE',
      `${mdev.uuid}: queues of the matrix are assigned to ${holder.uuid}; unassign them there first`,
    );
}

/** Older generations: every queue that is added must be bound to vfio_ap; with nothing to multiply with, one such queue. */
function checkBound(mdev: ApMatrixMdev, added: QueueMatrix): void {
  const { matrixDev } = mdev;
  const isBound = (apqn: number): boolean => matrixDev.findQueue(apqn) !== undefined;
  const alone = added.apm.isEmpty || added.aqm.isEmpty;
  const queues = [
    ...queuesOf({
      apm: added.apm.isEmpty ? ApMask.ALL : added.apm,
      aqm: added.aqm.isEmpty ? ApMask.ALL : added.aqm,
    }),
  ];
  if (alone ? queues.some(isBound) : queues.every(isBound)) return;
  throw new VfioError('EADDRNOTAVAIL', `${mdev.uuid}: queues are not bound to vfio_ap`);
}

function refuseWithGuest(mdev: ApMatrixMdev, attribute: string): void {
  if (!mdev.matrixDev.generation.hotPlug && mdev.kvm !== undefined)
    throw new VfioError(
      'EBUSY',
      `${mdev.uuid}: ${attribute}: machine "${mdev.kvm.name}" uses the device`,
    );
}

function parseId(mdev: ApMatrixMdev, attribute: string, mask: MatrixMask, text: string): number {
  const id = kstrtoul(text, `${mdev.uuid}: ${attribute}`);
  checkHighest(mdev, attribute, id, mask === 'apm' ? mdev.highest.apid : mdev.highest.apqi);
  return id;
}

function checkHighest(mdev: ApMatrixMdev, attribute: string, id: number, highest: number): void {
  if (id > highest)
    throw new VfioError(
      'ENODEV',
      `${mdev.uuid}: ${attribute}: ${id} is above ${highest}, the highest there is`,
    );
}
