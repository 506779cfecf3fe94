/** Gives out the lowest number that is free, as the kernel's ida does. */
export class NumberPool {
  readonly #taken = new Set<number>();
  #lowest = 0;

  take(): number {
    while (this.#taken.has(this.#lowest)) this.#lowest += 1;
    this.#taken.add(this.#lowest);
    return this.#lowest;
  }

  give(number: number): void {
    if (this.#taken.delete(number)) this.#lowest = Math.min(this.#lowest, number);
  }
}
