/** Lets one of the commands to come fail. */
export class CommandFault {
  #left = -1;

  /** The command after so many more fails, and only that; a negative number calls it off. */
  after(count: number): void {
    this.#left = count;
  }

  /** A command comes: whether it is the one. */
  strikes(): boolean {
    const strikes = this.#left === 0;
    if (this.#left >= 0) this.#left -= 1;
    return strikes;
  }
}
