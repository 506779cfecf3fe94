import { EBADF, EINVAL, EventFd, type Process } from '@vfiokit/uapi';

/** Looks a descriptor up as an eventfd (eventfd_ctx_fdget): `-EBADF` if it is not open, `-EINVAL` if it is something else. */
export function resolveEventFd(fd: number, caller: Process): EventFd | number {
  const file = caller.fds.get(fd);
  if (file === undefined) return -EBADF;
  return file instanceof EventFd ? file : -EINVAL;
}
