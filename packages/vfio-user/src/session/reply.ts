import { EIO, VfioError } from '@vfiokit/uapi';

/** Where messages stand that are being answered. */
export interface Received {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/**
 * What answers a command: a payload, a payload with a descriptor that stays the server's, how many bytes of the request's
 * payload are repeated, or a negated errno.
 */
export type Reply = number | Uint8Array | { readonly payload: Uint8Array; readonly fd: number };

/** The negated errno of something that was thrown; `-EIO` for what is no errno. */
export function errnoOf(error: unknown): number {
  return error instanceof VfioError ? error.errno : -EIO;
}
