/** Time as the kernel's timers see it, in milliseconds. Tests and models move it by hand. */
export interface Clock {
  readonly now: number;
  /** Calls back once; the returned function takes that back. */
  after(milliseconds: number, callback: () => void): () => void;
}

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** A clock that stands still until it is moved. */
export class VirtualClock implements Clock {
  #now = 0;
  #timers: readonly Timer[] = [];

  get now(): number {
    return this.#now;
  }

  after(milliseconds: number, callback: () => void): () => void {
    const timer = { at: this.#now + milliseconds, callback };
    this.#timers = [...this.#timers, timer];
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Lets time pass. Timers fire in the order they are due, those that others start meanwhile included. */
  advance(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (;;) {
      const due = this.#timers
        .filter((timer) => timer.at <= end)
        .reduce<Timer | undefined>(
          (first, timer) => (first === undefined || timer.at < first.at ? timer : first),
          undefined,
        );
      if (due === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#now = due.at;
      due.callback();
    }
    this.#now = end;
  }
}
