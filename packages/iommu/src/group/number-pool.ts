/** Gives out the lowest number that is free, as the kernel's ida does, and without trying them all. */
export class NumberPool {
  readonly #taken = new Set<number>();
  /** All below it are taken. */
  #lowest = 0;

  take(): number {
    while (this.#taken.has(this.#lowest)) this.#lowest += 1;
    this.#taken.add(this.#lowest);
    return this.#lowest;
  }

  /** Takes a certain number; whether it was free. */
  reserve(number: number): boolean {
    if (this.#taken.has(number)) return false;
    this.#taken.add(number);
    return true;
  }

  give(number: number): void {
    if (this.#taken.delete(number)) this.#lowest = Math.min(this.#lowest, number);
  }
}
