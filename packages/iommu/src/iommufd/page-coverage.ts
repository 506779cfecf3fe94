/** How often each page of an object is pinned, by runs of pages. Pages are counted once however often they are pinned. */
export class PageCoverage {
  readonly #runs: { readonly first: number; readonly end: number }[] = [];

  /** How many pages are pinned. */
  get pages(): number {
    let pages = 0;
    let reached = 0;
    for (const { first, end } of this.#runs) {
      pages += Math.max(0, end - Math.max(first, reached));
      reached = Math.max(reached, end);
    }
    return pages;
  }

  get empty(): boolean {
    return this.#runs.length === 0;
  }

  /** Whether pages `[first, end)` are all pinned. */
  holds(first: number, end: number): boolean {
    let reached = first;
    for (const run of this.#runs) if (run.first <= reached) reached = Math.max(reached, run.end);
    return reached >= end;
  }

  /** Pins pages `[first, end)` once more. */
  add(first: number, end: number): void {
    const at = this.#runs.findIndex((run) => run.first > first);
    this.#runs.splice(at === -1 ? this.#runs.length : at, 0, { first, end });
  }

  /** The opposite, of exactly such a run. */
  delete(first: number, end: number): void {
    const at = this.#runs.findIndex((run) => run.first === first && run.end === end);
    if (at !== -1) this.#runs.splice(at, 1);
  }
}
