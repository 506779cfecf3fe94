/** What has to be taken back, last first. */
export class UndoStack {
  readonly #undos: (() => void)[] = [];

  push(undo: () => void): void {
    this.#undos.push(undo);
  }

  /** Runs everything once; an undo that throws does not keep the others from running. */
  unwind(): void {
    const undo = this.#undos.pop();
    if (undo === undefined) return;
    try {
      undo();
    } finally {
      this.unwind();
    }
  }
}
