import type { Sysfs } from '@vfiokit/driver-model';
import { errnoName } from '@vfiokit/uapi';
import { bindPath, overridePath, overrideText } from '../decision/operation.js';
import type { JournalTarget } from './journal.js';
import { readLive, sameDevice } from './live-device.js';

/** An override that no driver has, by convention. */
const NOBODY = 'none';

/** How the restoring of one device ended. */
export type Restored =
  | { readonly kind: 'restored' }
  /** Gone, or another device is at its address: nothing was written. */
  | { readonly kind: 'dropped'; readonly note: string }
  /** A person has to look at it. */
  | { readonly kind: 'needs-attention'; readonly note: string; readonly errno?: number };

/**
 * Brings one device back to the driver and the override it had, from whatever state it is in. Some override stands until
 * the end, so that nobody can take the device in between. Doing it twice is doing it once.
 *
 * An override that somebody else has set meanwhile is theirs, and stays.
 *
 * @param unbind takes the device from the driver that it has: the negated errno of the write.
 */
export async function restoreDevice(
  sysfs: Sysfs,
  target: JournalTarget,
  unbind: (device: string, driver: string) => Promise<number>,
): Promise<Restored> {
  const { device, before } = target;
  const live = await readLive(sysfs, device);
  if (live === undefined) return { kind: 'dropped', note: `${device}: is gone` };
  if (!sameDevice(live.identity, target.identity))
    return { kind: 'dropped', note: `${device}: another device has its address now` };
  if (live.driver !== null && live.driver !== before.driver && live.driver !== target.driver)
    return {
      kind: 'needs-attention',
      note: `${device}: is bound to ${live.driver}, which is neither ours nor what was there; left alone`,
    };

  const ours = [
    before.override,
    target.driver,
    ...(target.tried ?? []),
    before.driver,
    NOBODY,
    null,
  ];
  const foreign =
    live.override !== undefined && !ours.includes(live.override) ? live.override : undefined;
  const finalOverride = foreign ?? before.override;
  const writeOverride = async (override: string | null): Promise<number> =>
    live.override === undefined ? 0 : sysfs.write(overridePath(device), overrideText(override));
  const settle = async (): Promise<Restored> => {
    const errno = await writeOverride(finalOverride);
    return errno < 0
      ? failed(`${device}: its override can't be written back`, errno)
      : { kind: 'restored' };
  };

  if (live.driver === before.driver)
    return live.override === finalOverride ? { kind: 'restored' } : settle();

  const shield = await writeOverride(before.driver ?? NOBODY);
  if (shield < 0) return failed(`${device}: its override can't be written`, shield);
  if (live.driver !== null) {
    const errno = await unbind(device, live.driver);
    const now = await readLive(sysfs, device);
    if (errno < 0 && now?.driver === live.driver)
      return failed(`${device}: can't be unbound from ${live.driver}`, errno);
  }
  if (before.driver === null) return settle();
  const bound = await sysfs.write(bindPath(before.driver), device);
  const now = await readLive(sysfs, device);
  if (now === undefined) return { kind: 'dropped', note: `${device}: is gone` };
  if (now.driver === before.driver) return settle();
  return fallBack(sysfs, target, bound, settle);
}

/** The original driver does not take the device back: the kernel's own choice is asked, if it is the original. */
async function fallBack(
  sysfs: Sysfs,
  { device, before }: JournalTarget,
  errno: number,
  settle: () => Promise<Restored>,
): Promise<Restored> {
  await sysfs.write('/sys/bus/pci/drivers_probe', device);
  const probed = (await readLive(sysfs, device))?.driver === before.driver;
  const settled = await settle();
  if (probed || settled.kind !== 'restored') return settled;
  return failed(`${device}: ${before.driver} does not take it back; it is left unbound`, errno);
}

function failed(note: string, errno: number): Restored {
  return { kind: 'needs-attention', note: `${note} (${errnoName(errno)})`, errno };
}
