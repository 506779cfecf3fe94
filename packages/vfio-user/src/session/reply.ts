import { EIO, VfioError } from '@vfiokit/uapi';

/** What answers a command: a payload, 0 for none, a payload with a descriptor that stays the server's, or a negated errno. */
export type Reply = number | Uint8Array | { readonly payload: Uint8Array; readonly fd: number };

/** The negated errno of something that was thrown; `-EIO` for what is no errno. */
export function errnoOf(error: unknown): number {
  return error instanceof VfioError ? error.errno : -EIO;
}
