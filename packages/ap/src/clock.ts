/**
 * The model's time, in milliseconds since it began. It stands still until somebody waits or moves it.
 *
 * What the kernel does later (a work item, a timer) is queued here; what the kernel sleeps for, the model passes by
 * running what falls due meanwhile. Runs are therefore the same every time.
 */
export class VirtualClock {
  #now = 0;
  #sequence = 0;
  readonly #timers: { readonly at: number; readonly sequence: number; readonly run: () => void }[] =
    [];

  get now(): number {
    return this.#now;
  }

  /** Runs something `delay` milliseconds from now. The returned function takes it back. */
  after(delay: number, run: () => void): () => void {
    const timer = { at: this.#now + delay, sequence: this.#sequence++, run };
    const before = this.#timers.findIndex((other) => other.at > timer.at);
    this.#timers.splice(before === -1 ? this.#timers.length : before, 0, timer);
    return () => {
      const index = this.#timers.indexOf(timer);
      if (index !== -1) this.#timers.splice(index, 1);
    };
  }

  /** Lets time pass, running what falls due in order. */
  advance(milliseconds: number): void {
    this.#runUntil(this.#now + milliseconds, () => false);
  }

  /**
   * Sleeps until something holds, for at most `limit` milliseconds.
   *
   * @returns whether it came to hold.
   */
  waitFor(holds: () => boolean, limit: number): boolean {
    return holds() || this.#runUntil(this.#now + limit, holds);
  }

  #runUntil(end: number, enough: () => boolean): boolean {
    for (let next = this.#timers[0]; next !== undefined && next.at <= end; next = this.#timers[0]) {
      this.#timers.shift();
      this.#now = Math.max(this.#now, next.at);
      next.run();
      if (enough()) return true;
    }
    this.#now = Math.max(this.#now, end);
    return enough();
  }
}
