const NANOSECONDS = 1000;
/** The first step from sleeping at once. */
const LITTLE = 4 * NANOSECONDS;

/**
 * How long a receive is tried before one sleeps. Trying spares the system a sleeper to wake, which costs more than most
 * messages; where the next message is not near it only warms the processor.
 */
export class Patience {
  #nanoseconds: number;
  readonly #most: number;

  /** @param spin microseconds that may be spent on trying; 0 sleeps at once. */
  constructor(spin: number) {
    this.#most = spin * NANOSECONDS;
    this.#nanoseconds = this.#most;
  }

  /** How long to try now. */
  get nanoseconds(): number {
    return this.#nanoseconds;
  }

  /** Whether {@link slept} is to be told of. */
  get counts(): boolean {
    return this.#most > 0;
  }

  /** Trying was in vain, and a receive slept for so many nanoseconds, whether or not a message came. */
  slept(nanoseconds: number): void {
    // About half of what a short sleep takes is the wait for a processor to wake, which trying would have spared.
    this.#nanoseconds =
      this.#nanoseconds + nanoseconds <= 2 * this.#most
        ? Math.min(this.#nanoseconds * 2 + LITTLE, this.#most)
        : this.#nanoseconds >> 1;
  }
}
