import type { Clock } from '@vfiokit/driver-model';

/** Something that is to happen at a time. */
interface Timer {
  readonly at: number;
  readonly run: () => void;
  /** Whether it may run while somebody sleeps. */
  readonly duringSleep: boolean;
}

/**
 * The model's time, in milliseconds since it began. It stands still until somebody sleeps or moves it.
 *
 * What the kernel does later is queued here; what the kernel sleeps for, the model passes by running what falls due
 * meanwhile. Runs are therefore the same every time.
 */
export class KernelClock implements Clock {
  #now = 0;
  readonly #timers: Timer[] = [];

  get now(): number {
    return this.#now;
  }

  /** Runs something `delay` milliseconds from now. The returned function takes it back. */
  after(delay: number, run: () => void): () => void {
    return this.#add({ at: this.#now + delay, run, duringSleep: true });
  }

  /**
   * As {@link after}, for work that needs the locks which a sleeper holds: it is put off until nobody sleeps, that is, to
   * the next {@link advance}.
   */
  workAfter(delay: number, run: () => void): () => void {
    return this.#add({ at: this.#now + delay, run, duringSleep: false });
  }

  /** Lets time pass, running what falls due in order. */
  advance(milliseconds: number): void {
    this.#runUntil(
      this.#now + milliseconds,
      () => true,
      () => false,
    );
  }

  /** Sleeps inside the kernel, holding locks. */
  sleep(milliseconds: number): void {
    this.waitFor(() => false, milliseconds);
  }

  /**
   * Sleeps inside the kernel, holding locks, until something holds, for at most `limit` milliseconds.
   *
   * @returns whether it came to hold.
   */
  waitFor(holds: () => boolean, limit: number): boolean {
    return holds() || this.#runUntil(this.#now + limit, (timer) => timer.duringSleep, holds);
  }

  #runUntil(end: number, mayRun: (timer: Timer) => boolean, enough: () => boolean): boolean {
    for (;;) {
      const index = this.#timers.findIndex(mayRun);
      const next = this.#timers[index];
      if (next === undefined || next.at > end) break;
      this.#timers.splice(index, 1);
      this.#now = Math.max(this.#now, next.at);
      next.run();
      if (enough()) return true;
    }
    this.#now = Math.max(this.#now, end);
    return enough();
  }

  #add(timer: Timer): () => void {
    const before = this.#timers.findLastIndex((other) => other.at <= timer.at);
    this.#timers.splice(before + 1, 0, timer);
    return () => {
      const index = this.#timers.indexOf(timer);
      if (index !== -1) this.#timers.splice(index, 1);
    };
  }
}
