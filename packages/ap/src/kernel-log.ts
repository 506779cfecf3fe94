/** What the kernel would print: the messages that name who is to blame, or what was given up. */
export class KernelLog {
  readonly #lines: string[] = [];

  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Adds a message, which starts with its subject. */
  warn(message: string): void {
    this.#lines.push(message);
  }
}
