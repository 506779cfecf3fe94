import type { Readiness } from './readiness.js';

/**
 * Keeps users from the GPU's memory between a reset and the first sign that it is ready again
 * (nvgrace-gpu/main.c: nvgrace_gpu_check_device_ready).
 */
export class ReadyGate {
  #closed = false;
  #readiness: Readiness | undefined;
  #memoryEnabled: () => number = () => 0;

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * The device opens.
   *
   * @param memoryEnabled negative while the function's memory is not to be touched.
   */
  watch(readiness: Readiness, memoryEnabled: () => number): void {
    this.#readiness = readiness;
    this.#memoryEnabled = memoryEnabled;
  }

  /** The function was reset. */
  close(): void {
    this.#closed = true;
  }

  /** 0; after a reset `-EIO` while memory is disabled, or what the GPU is not ready with. */
  pass(): number {
    if (!this.#closed) return 0;
    const disabled = this.#memoryEnabled();
    if (disabled < 0) return disabled;
    const error = this.#readiness?.afterReset() ?? 0;
    this.#closed = error < 0;
    return error;
  }
}
