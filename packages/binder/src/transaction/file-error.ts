import { ERRNO, type ErrnoName, VfioError } from '@vfiokit/uapi';

/** An error of a file operation as one for people; anything else is passed on as it is. */
export function fileError(path: string, cause: unknown): unknown {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (cause instanceof VfioError || typeof code !== 'string') return cause;
  const denied = code === 'EACCES' || code === 'EPERM';
  return new VfioError(
    Object.hasOwn(ERRNO, code) ? (code as ErrnoName) : 'EIO',
    denied
      ? `${path}: permission denied; only root changes which drivers devices have`
      : `${path}: can't be read or written (${code})`,
    { cause },
  );
}
