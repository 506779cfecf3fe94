import { ERRNO, type ErrnoName, errnoName, VfioError } from '@vfiokit/uapi';

/** The error to throw for a negated errno that a set-up step came back with. */
export function failure(errno: number, message: string, options?: ErrorOptions): VfioError {
  const name = errnoName(errno);
  return new VfioError(name in ERRNO ? (name as ErrnoName) : 'EIO', message, options);
}
