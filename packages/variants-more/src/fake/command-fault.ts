/** Lets one of the commands to come fail. */
export class CommandFault {
  #armed = { left: -1, struck: false };

  /**
   * The command after so many more fails, and only that; a negative number calls it off.
   *
   * @returns whether it has come.
   */
  after(count: number): () => boolean {
    const armed = { left: count, struck: false };
    this.#armed = armed;
    return () => armed.struck;
  }

  /** A command comes: whether it is the one. */
  strikes(): boolean {
    const strikes = this.#armed.left === 0;
    this.#armed.left -= 1;
    if (strikes) this.#armed.struck = true;
    return strikes;
  }
}
