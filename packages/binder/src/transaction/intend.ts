import { readText, type Sysfs } from '@vfiokit/driver-model';
import { VfioError } from '@vfiokit/uapi';
import type { Target } from '../decision/operation.js';
import type { BinderOptions } from './binder-options.js';
import type { JournalIntent, JournalTarget } from './journal.js';
import { readLive } from './live-device.js';

/**
 * Compares a plan with the machine and puts the intent into the journal: from then on a crash leaves a record.
 *
 * @throws VfioError what {@link Binder.bind} throws. Nothing has been changed then.
 */
export async function intend(
  sysfs: Sysfs,
  options: BinderOptions,
  targets: readonly Target[],
): Promise<JournalIntent> {
  const journaled: JournalTarget[] = [];
  for (const target of targets) journaled.push(await checked(sysfs, options, target));
  const intent: JournalIntent = {
    version: 1,
    id: options.newId(),
    bootId: await readBootId(sysfs),
    release: await procText(sysfs, 'osrelease'),
    creator: options.creator,
    time: options.now(),
    targets: journaled,
  };
  await options.journal.create(intent.id, JSON.stringify(intent));
  return intent;
}

/** A target with what tells its device from another. */
async function checked(
  sysfs: Sysfs,
  { newIdWithoutOverride }: BinderOptions,
  target: Target,
): Promise<JournalTarget> {
  const { device, before } = target;
  const live = await readLive(sysfs, device);
  if (live === undefined) throw new VfioError('ENODEV', `${device}: is gone; plan again`);
  const { driver, override } = before;
  if (live.driver !== driver || (live.override !== undefined && live.override !== override))
    throw new VfioError('EAGAIN', `${device}: has changed since the plan was made; plan again`);
  const vf = await sysfs.readLink(`/sys/bus/pci/devices/${device}/virtfn0`);
  if (typeof vf === 'string')
    throw new VfioError(
      'EBUSY',
      `${device}: has VFs, which go with its driver; write 0 to sriov_numvfs first`,
    );
  if (live.override === undefined && newIdWithoutOverride !== true)
    throw new VfioError(
      'EOPNOTSUPP',
      `${device}: this kernel has no driver_override; --new-id binds by id, which takes every unbound device of that id`,
    );
  return { ...target, driver: target.driver ?? null, identity: live.identity };
}

/** What tells one boot of a machine from another. */
export function readBootId(sysfs: Sysfs): Promise<string> {
  return procText(sysfs, 'random/boot_id');
}

async function procText(sysfs: Sysfs, name: string): Promise<string> {
  const text = await readText(sysfs, `/proc/sys/kernel/${name}`);
  return typeof text === 'number' ? 'unknown' : text.trim();
}
