import { EAGAIN } from './errno.js';
import type { VfioFile } from './file.js';

/** Somebody who waits on an eventfd inside the kernel, as irqfds and ioeventfds do (virt/kvm/eventfd.c, drivers/vfio/virqfd.c). */
export interface EventFdWaiter {
  /** The eventfd was signalled. The waiter consumes the counter with {@link EventFd.take} if it is one that does. */
  wake(): void;
  /** The last descriptor of the eventfd was closed: nothing will come any more. */
  hangUp(): void;
}

/**
 * An eventfd: a 64-bit counter that signals add to and a read empties (eventfd(2)).
 *
 * It is how VFIO tells user space of an interrupt and how user space triggers an ioeventfd. A function handed to the
 * constructor is called on every signal, which makes it an interrupt sink.
 */
export class EventFd implements VfioFile {
  readonly kind = 'eventfd';
  #count = 0;
  #closed = false;
  #waiters: readonly EventFdWaiter[] = [];

  /** @param onSignal called on every signal with the amount added, until the eventfd is closed. */
  constructor(private readonly onSignal?: (added: number) => void) {}

  /** What a read would return; 0 while nothing is pending. */
  get count(): number {
    return this.#count;
  }

  /** Adds to the counter and wakes whoever waits; what the kernel does to signal user space (eventfd_signal). */
  signal(added = 1): void {
    if (this.#closed) return;
    this.#count += added;
    this.onSignal?.(added);
    for (const waiter of this.#waiters) waiter.wake();
  }

  /** Empties the counter and returns what it held; 0 if nothing was pending. */
  take(): number {
    const count = this.#count;
    this.#count = 0;
    return count;
  }

  /** A user's non-blocking read: the counter, which it empties, or `-EAGAIN`. */
  read(): number {
    return this.#count === 0 ? -EAGAIN : this.take();
  }

  /** Hooks a kernel-side waiter into the wait queue; the returned function takes it out again. */
  attach(waiter: EventFdWaiter): () => void {
    this.#waiters = [...this.#waiters, waiter];
    return () => {
      this.#waiters = this.#waiters.filter((other) => other !== waiter);
    };
  }

  /** The last descriptor goes away: waiters are told, later signals vanish. */
  close(): void {
    this.#closed = true;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.hangUp();
  }
}
