import { EBUSY, type EventFd, type Process } from '@vfiokit/uapi';

/**
 * An eventfd by which user space triggers something in the kernel (drivers/vfio/virqfd.c).
 *
 * It consumes the counter on every signal, acts at once if the eventfd was signalled before it was hooked up (without
 * consuming that), and vanishes with the eventfd's last descriptor.
 */
export class Irqfd {
  #detach: (() => void) | undefined;

  /** @param act what a signal does. */
  constructor(private readonly act: () => void) {}

  /** Hooks it to a descriptor: 0, `-EBADF`, `-EINVAL`, or `-EBUSY` while it is hooked to one. */
  install(fd: number, caller: Process): number {
    const eventfd = caller.fds.eventFd(fd);
    if (typeof eventfd === 'number') return eventfd;
    if (this.#detach !== undefined) return -EBUSY;
    this.attach(eventfd);
    return 0;
  }

  attach(eventfd: EventFd): void {
    this.#detach = eventfd.attach({
      wake: () => {
        eventfd.take();
        this.act();
      },
      hangUp: () => {
        this.#detach = undefined;
      },
    });
    if (eventfd.count > 0) this.act();
  }

  remove(): void {
    this.#detach?.();
    this.#detach = undefined;
  }
}
