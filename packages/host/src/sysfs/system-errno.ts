import { EIO, ERRNO, type ErrnoName, VfioError } from '@vfiokit/uapi';

/** The negated errno of an error that Node's file functions throw; anything else is thrown on. */
export function errnoOf(error: unknown): number {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (typeof code !== 'string') throw error;
  return Object.hasOwn(ERRNO, code) ? -ERRNO[code as ErrnoName] : -EIO;
}

/** What errors of files mean to whoever named the file. */
const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EEXIST: 'exists already',
  EISDIR: 'is a directory; name a file',
  ELOOP: 'a link that leads to itself',
  ENOENT: 'no such file or folder',
  ENOSPC: 'no space left',
  ENOTDIR: 'a part of the path is no folder',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
};

/**
 * An error that Node's file functions throw as one for people, which starts with the file; any other error as it is.
 *
 * @param path the file that somebody named; Node does not always tell it.
 */
export function fileError(path: string, cause: unknown): unknown {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (cause instanceof VfioError || typeof code !== 'string' || !/^E[A-Z0-9]+$/.test(code))
    return cause;
  return new VfioError(
    Object.hasOwn(ERRNO, code) ? (code as ErrnoName) : 'EIO',
    `${path}: ${Object.hasOwn(REASONS, code) ? REASONS[code] : `can't be read or written (${code})`}`,
    { cause },
  );
}
