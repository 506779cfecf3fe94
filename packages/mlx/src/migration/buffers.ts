import type { Vhca, VhcaBuffer } from './vhca.js';

/** The buffers of one transfer: those at hand are used again, and all of them go with it. */
export class BufferPool {
  readonly #free: VhcaBuffer[] = [];
  readonly #all = new Set<VhcaBuffer>();
  #pd: number | undefined;

  constructor(private readonly vhca: Vhca) {}

  /** A protection domain for the buffers; 0 or a negated errno. */
  open(): number {
    const pd = this.vhca.allocPd();
    if (pd < 0) return pd;
    this.#pd = pd;
    return 0;
  }

  /** A buffer of at least so many bytes, the smallest at hand; or a negated errno. */
  take(bytes: number): VhcaBuffer | number {
    let best = -1;
    for (const [index, { memory }] of this.#free.entries()) {
      const fits = memory.length >= bytes;
      if (fits && (best < 0 || memory.length < this.#free[best]!.memory.length)) best = index;
    }
    if (best >= 0) return this.#free.splice(best, 1)[0]!;
    const buffer = this.vhca.allocBuffer(bytes);
    if (typeof buffer !== 'number') this.#all.add(buffer);
    return buffer;
  }

  /** A buffer is not used any more for now. */
  give(buffer: VhcaBuffer): void {
    this.#free.push(buffer);
  }

  close(): void {
    for (const buffer of this.#all) this.vhca.freeBuffer(buffer);
    this.#all.clear();
    this.#free.length = 0;
    if (this.#pd !== undefined) this.vhca.deallocPd(this.#pd);
    this.#pd = undefined;
  }
}
