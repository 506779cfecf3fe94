import type { Device } from './device.js';

/**
 * The devices whose probe asked to be tried again. Any bind that succeeds, of any device, tries them all
 * (drivers/base/dd.c: driver_deferred_probe_trigger).
 */
export class DeferredProbe {
  readonly #pending = new Set<Device>();
  readonly #active = new Set<Device>();
  #running = false;

  /** Those that wait, as `devices_deferred` of debugfs lists them. */
  get devices(): readonly Device[] {
    return [...this.#pending, ...this.#active];
  }

  add(device: Device): void {
    this.#pending.add(device);
  }

  delete(device: Device): void {
    this.#pending.delete(device);
    this.#active.delete(device);
  }

  /** Something was bound: everyone shall be tried again at the next {@link settle}. */
  request(): void {
    for (const device of this.#pending) this.#active.add(device);
    this.#pending.clear();
  }

  /** Tries those again who shall be, as the work queue does when the locks are free. */
  settle(): void {
    // A device that is bound here asks for another round; the loop that runs already finds the others.
    if (this.#running) return;
    this.#running = true;
    for (const device of this.#active) {
      this.#active.delete(device);
      void device.bus?.reprobe(device);
    }
    this.#running = false;
  }
}
