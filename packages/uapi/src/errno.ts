/**
 * The error numbers that the VFIO interface can answer, by their Linux names (asm-generic/errno.h).
 *
 * Calls that a guest can provoke return them negated (`-EINVAL`), as system calls do; set-up calls throw them as a
 * {@link VfioError}.
 */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  EMFILE: 24,
  ENOTTY: 25,
  EFBIG: 27,
  ENOSPC: 28,
  ESPIPE: 29,
  EROFS: 30,
  EPIPE: 32,
  EDOM: 33,
  ERANGE: 34,
  EDEADLK: 35,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ENOMSG: 42,
  ENODATA: 61,
  ETIME: 62,
  EBADMSG: 74,
  EOVERFLOW: 75,
  EBADFD: 77,
  EUSERS: 87,
  EMSGSIZE: 90,
  EOPNOTSUPP: 95,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ECONNRESET: 104,
  ENOBUFS: 105,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  EALREADY: 114,
  ECANCELED: 125,
  /** Internal to the kernel: probe again when more drivers have arrived. */
  EPROBE_DEFER: 517,
  /** Internal to the kernel; it can leak to user space from interrupt allocation. */
  ENOTSUPP: 524,
} as const;

/** An error number's name, such as `EINVAL`. */
export type ErrnoName = keyof typeof ERRNO;

export const {
  EPERM,
  ENOENT,
  EINTR,
  EIO,
  ENXIO,
  E2BIG,
  EBADF,
  EAGAIN,
  ENOMEM,
  EACCES,
  EFAULT,
  EBUSY,
  EEXIST,
  EXDEV,
  ENODEV,
  ENOTDIR,
  EISDIR,
  EINVAL,
  EMFILE,
  ENOTTY,
  EFBIG,
  ENOSPC,
  ESPIPE,
  EROFS,
  EPIPE,
  EDOM,
  ERANGE,
  EDEADLK,
  ENOSYS,
  ENOTEMPTY,
  ENOMSG,
  ENODATA,
  ETIME,
  EBADMSG,
  EOVERFLOW,
  EBADFD,
  EUSERS,
  EMSGSIZE,
  EOPNOTSUPP,
  EADDRINUSE,
  EADDRNOTAVAIL,
  ECONNRESET,
  ENOBUFS,
  ENOTCONN,
  ETIMEDOUT,
  EALREADY,
  ECANCELED,
  EPROBE_DEFER,
  ENOTSUPP,
} = ERRNO;

const NAMES = new Map<number, ErrnoName>(
  (Object.entries(ERRNO) as [ErrnoName, number][]).map(([name, number]) => [number, name]),
);

/** The name of an error number, positive or negated; `errno 123` where it has none here. */
export function errnoName(errno: number): ErrnoName | `errno ${number}` {
  const number = Math.abs(errno);
  return NAMES.get(number) ?? `errno ${number}`;
}
