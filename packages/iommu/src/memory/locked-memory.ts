import type { Process } from '@vfiokit/uapi';

/**
 * How many more bytes a process can lock, in whole pages.
 *
 * @param unlimited it held CAP_IPC_LOCK when it asked: counted all the same, but never limited.
 */
export function lockableBytes(process: Process, unlimited: boolean, page: number): number {
  if (unlimited) return Number.POSITIVE_INFINITY;
  const limit = Math.floor(process.credentials.memlock / page) * page;
  return Math.max(0, limit - process.lockedBytes);
}

/** Counts bytes as locked; false, with nothing counted, if that exceeds RLIMIT_MEMLOCK (mm/util.c: account_locked_vm). */
export function lockBytes(
  process: Process,
  unlimited: boolean,
  bytes: number,
  page: number,
): boolean {
  if (bytes > lockableBytes(process, unlimited, page)) return false;
  process.lockedBytes += bytes;
  return true;
}

/** The opposite. */
export function unlockBytes(process: Process, bytes: number): void {
  process.lockedBytes -= bytes;
}
