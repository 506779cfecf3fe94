/**
 * Lets the n-th allocation fail, as the kernel's fail_nth does: how tests walk through every way in which a call can run
 * out of memory.
 */
export class FaultInjection {
  #countdown = 0;
  #made = 0;

  /** How many allocations have been made so far. */
  get made(): number {
    return this.#made;
  }

  /** The fault has happened, or none was asked for. */
  get spent(): boolean {
    return this.#countdown === 0;
  }

  /** Lets the n-th allocation from now on fail, once; 0 for none. */
  failNth(n: number): void {
    this.#countdown = n;
  }

  /** An allocation: whether it succeeds. */
  allocates(): boolean {
    this.#made += 1;
    if (this.#countdown === 0) return true;
    this.#countdown -= 1;
    return this.#countdown > 0;
  }
}
