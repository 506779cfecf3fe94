/** Clients in the order in which they came, until their turn comes; nobody's does while the line is paused. */
export class WaitingLine<T> {
  readonly #waiting: T[] = [];
  #paused = false;

  /** @param serve may pause the line. */
  constructor(private readonly serve: (client: T) => void) {}

  arrive(client: T): void {
    this.#waiting.push(client);
    this.#move();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#move();
  }

  /** Sends everybody away: who has waited. */
  clear(): readonly T[] {
    return this.#waiting.splice(0);
  }

  #move(): void {
    while (!this.#paused) {
      const client = this.#waiting.shift();
      if (client === undefined) return;
      this.serve(client);
    }
  }
}
