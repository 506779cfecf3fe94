import type { Process } from '@vfiokit/uapi';

/** Who pays for locked memory: a process, and whether it held CAP_IPC_LOCK when it asked for it. */
export interface Payer {
  readonly process: Process;
  /** Counted all the same, but never limited. */
  readonly unlimited: boolean;
}

/** How many more bytes a payer can lock, in whole pages. */
export function lockableBytes({ process, unlimited }: Payer, page: number): number {
  if (unlimited) return Number.POSITIVE_INFINITY;
  const limit = Math.floor(process.credentials.memlock / page) * page;
  return Math.max(0, limit - process.lockedBytes);
}

/** Counts bytes as locked; false, with nothing counted, if that exceeds RLIMIT_MEMLOCK (mm/util.c: account_locked_vm). */
export function lockBytes(payer: Payer, bytes: number, page: number): boolean {
  if (bytes > lockableBytes(payer, page)) return false;
  payer.process.lockedBytes += bytes;
  return true;
}

/** The opposite. */
export function unlockBytes({ process }: Payer, bytes: number): void {
  process.lockedBytes -= bytes;
}
