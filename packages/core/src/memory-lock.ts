/**
 * The lock around everything that takes a device's memory away (vfio_pci_core_device.memory_lock).
 *
 * Calls here run to their end, so it is contended only when device code that runs under it calls back in; a hot reset
 * then finds it taken and gives up.
 */
export class MemoryLock {
  #held = false;

  get held(): boolean {
    return this.#held;
  }

  /** Takes it if it is free. */
  tryTake(): boolean {
    if (this.#held) return false;
    this.#held = true;
    return true;
  }

  release(): void {
    this.#held = false;
  }

  /** Runs something under the lock; what it calls may come in again. */
  run<T>(body: () => T): T {
    const outermost = this.tryTake();
    try {
      return body();
    } finally {
      if (outermost) this.release();
    }
  }
}
