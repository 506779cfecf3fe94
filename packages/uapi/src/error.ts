import { ERRNO, type ErrnoName, errnoName } from './errno.js';

/**
 * A set-up call that failed, shaped like Node's own system errors: `code` is the errno's name, `errno` its negated
 * number, `message` starts with the subject (`0000:00:02.0: …`) and says what would help.
 */
export class VfioError extends Error {
  override readonly name = 'VfioError';
  /** The errno's name, such as `EBUSY`. */
  readonly code: ErrnoName;
  /** The negated error number, such as `-16`. */
  readonly errno: number;

  constructor(code: ErrnoName, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.errno = -ERRNO[code];
  }

  /** The error for a negated errno that a call came back with; `EIO` for a number that has no name here. */
  static fromErrno(errno: number, message: string, options?: ErrorOptions): VfioError {
    const name = errnoName(errno);
    return new VfioError(
      Object.hasOwn(ERRNO, name) ? (name as ErrnoName) : 'EIO',
      message,
      options,
    );
  }
}
