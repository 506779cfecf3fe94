import type { Sysfs } from '@vfiokit/driver-model';
import { unbindPath } from '../decision/operation.js';
import { describeProcesses, type Process } from '../facts/vfio-users.js';
import type { BinderOptions } from './binder-options.js';

const DEFAULT_SOFT_TIMEOUT = 5000;

/** Ends the waiting for a device's user: nothing is taken back, and nothing can be. */
export class LeftUnbinding extends Error {}

/**
 * Unbinds a device from its driver. It waits as long as somebody uses the device; when that takes long the holder is
 * named, and whoever asked may leave. The unbind itself can't be called back: it goes on when the device is let go.
 *
 * @returns what the write answers.
 * @throws LeftUnbinding if nobody waits for it any more.
 */
export async function unbindWatched(
  sysfs: Sysfs,
  options: BinderOptions,
  { device, driver }: { readonly device: string; readonly driver: string },
  notice: (text: string) => void,
): Promise<number> {
  const { softTimeout = DEFAULT_SOFT_TIMEOUT, pause, holders, onBlocked } = options;
  const unbinding = sysfs.write(unbindPath(driver), device);
  const waiting = new AbortController();
  const blocked = pause(softTimeout, waiting.signal).then(() => 'blocked' as const);
  const first = await Promise.race([unbinding, blocked]).finally(() => waiting.abort());
  if (first !== 'blocked') return first;
  const who = await holders(device);
  notice(blockedText(device, who));
  if (onBlocked?.(device, who) === 'leave') throw new LeftUnbinding(device);
  return unbinding;
}

/** The sentence that tells who keeps a device from being unbound. */
export function blockedText(device: string, holders: readonly Process[]): string {
  return `${device}: its unbind waits for ${describeProcesses(holders)}; it goes on when that lets go`;
}
