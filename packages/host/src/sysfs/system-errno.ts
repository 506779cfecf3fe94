import { EIO, ERRNO, type ErrnoName } from '@vfiokit/uapi';

/** The negated errno of an error that Node's file functions throw; anything else is thrown on. */
export function errnoOf(error: unknown): number {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (typeof code !== 'string') throw error;
  return Object.hasOwn(ERRNO, code) ? -ERRNO[code as ErrnoName] : -EIO;
}
