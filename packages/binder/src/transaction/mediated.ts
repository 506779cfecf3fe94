import { readText, type Sysfs } from '@vfiokit/driver-model';
import { errnoName, VfioError } from '@vfiokit/uapi';
import type { JournalStore } from './journal.js';

/** A mediated device to be made: there is nothing to shield or to release, attaching is creating. */
export interface MdevRequest {
  /** The journal's name. */
  readonly id: string;
  readonly uuid: string;
  /** The parent's directory in sysfs, such as `/sys/devices/vfio_ap/matrix`. */
  readonly parent: string;
  /** A name in its `mdev_supported_types`. */
  readonly type: string;
}

/**
 * Creates a mediated device, its UUID in the journal before it exists.
 *
 * @throws VfioError with what `create` answers; the journal is put away then.
 */
export async function createMdev(
  sysfs: Sysfs,
  journal: JournalStore,
  request: MdevRequest,
): Promise<void> {
  const { id, uuid, parent, type } = request;
  await journal.create(id, JSON.stringify({ mdev: request }));
  const result = await sysfs.write(`${parent}/mdev_supported_types/${type}/create`, uuid);
  if (result >= 0) return;
  await journal.archive(id);
  throw failure(result, `${uuid}: can't be created as ${type} of ${parent}`);
}

/** Takes a mediated device away that its journal tells of: nothing is written for one that was never made. */
export async function removeMdev(
  sysfs: Sysfs,
  journal: JournalStore,
  id: string,
): Promise<'removed' | 'never made'> {
  const { mdev } = JSON.parse((await journal.read(id)).split('\n')[0]!) as { mdev: MdevRequest };
  const folder = `${mdev.parent}/${mdev.uuid}`;
  const exists = typeof (await sysfs.list(folder)) !== 'number';
  if (exists) {
    const result = await sysfs.write(`${folder}/remove`, '1');
    if (result < 0) throw failure(result, `${mdev.uuid}: can't be removed`);
  }
  await journal.archive(id);
  return exists ? 'removed' : 'never made';
}

/** The masks that divide AP queues between the host and vfio_ap. */
export type ApMaskName = 'apmask' | 'aqmask';

/**
 * Changes one of the AP bus's masks: one store that releases and attaches at once, the whole former mask in the journal.
 *
 * @throws VfioError with what the store answers; nothing has changed then.
 */
export async function changeApMask(
  sysfs: Sysfs,
  journal: JournalStore,
  id: string,
  mask: ApMaskName,
  change: string,
): Promise<void> {
  const path = `/sys/bus/ap/${mask}`;
  const before = await readText(sysfs, path);
  if (typeof before === 'number') throw failure(before, `${path}: can't be read`);
  await journal.create(id, JSON.stringify({ apMask: { path, before: before.trim() } }));
  const result = await sysfs.write(path, change);
  if (result >= 0) return;
  await journal.archive(id);
  throw failure(result, `${path}: can't be changed by ${JSON.stringify(change)}`);
}

/** Brings a mask back that {@link changeApMask} changed, whole, in one store. */
export async function restoreApMask(
  sysfs: Sysfs,
  journal: JournalStore,
  id: string,
): Promise<void> {
  const { apMask } = JSON.parse((await journal.read(id)).split('\n')[0]!) as {
    apMask: { path: string; before: string };
  };
  const result = await sysfs.write(apMask.path, apMask.before);
  if (result < 0) throw failure(result, `${apMask.path}: can't be restored to ${apMask.before}`);
  await journal.archive(id);
}

function failure(errno: number, message: string): VfioError {
  return VfioError.fromErrno(errno, `${message} (${errnoName(errno)})`);
}
