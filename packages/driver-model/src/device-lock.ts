import { andThen, type Blocking } from './blocking.js';

/** The mutex of a device: whoever comes while it is held waits, and they are served in the order they came (device_lock). */
export class DeviceLock {
  #tail: Promise<void> | undefined;
  #held = false;

  get held(): boolean {
    return this.#held;
  }

  /** Runs a critical section: now if nobody holds the lock, else when those before have left. */
  run<T>(section: () => Blocking<T>): Blocking<T> {
    if (this.#tail !== undefined) return this.#queue(section);
    this.#held = true;
    let result: Blocking<T>;
    try {
      result = section();
    } catch (error) {
      this.#held = false;
      throw error;
    }
    if (!(result instanceof Promise)) {
      this.#held = false;
      return result;
    }
    this.#follow(result);
    return result;
  }

  #queue<T>(section: () => Blocking<T>): Promise<T> {
    const result = this.#tail!.then(() => {
      this.#held = true;
      return section();
    });
    this.#follow(result);
    return result;
  }

  /** Whoever comes next comes after this one. */
  #follow<T>(section: Promise<T>): void {
    const tail = section.then(
      () => {},
      () => {},
    );
    this.#tail = tail;
    void andThen(tail, () => {
      if (this.#tail !== tail) return;
      this.#tail = undefined;
      this.#held = false;
    });
  }
}
