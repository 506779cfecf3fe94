import { tceAccess } from '../kvm/tce-hypercalls.js';
import type { IommuEvent, IommuRegion } from './memory-region.js';

/** What a guest's TCE table is made with. */
export interface GuestTceTableOptions {
  readonly liobn: number;
  /** The window's first bus address. */
  readonly start: number;
  /** Bytes. */
  readonly size: number;
  readonly pageShift: number;
}

/** A DMA window of a PAPR guest's host bridge: its table, as the monitor keeps it (QEMU's hw/ppc/spapr_iommu.c). */
export class GuestTceTable implements IommuRegion {
  readonly type = 'iommu';
  readonly name: string;
  readonly liobn: number;
  readonly start: number;
  readonly size: number;
  readonly pageShift: number;
  readonly page: number;
  /** By page of the window. */
  readonly #tces = new Map<number, bigint>();
  readonly #listeners = new Set<(event: IommuEvent) => void>();

  constructor({ liobn, start, size, pageShift }: GuestTceTableOptions) {
    this.liobn = liobn;
    this.start = start;
    this.size = size;
    this.pageShift = pageShift;
    this.page = 2 ** pageShift;
    this.name = `TCE table 0x${liobn.toString(16)}`;
  }

  /** How many entries there are. */
  get entries(): number {
    return this.size / this.page;
  }

  /** Whether a bus address is in the window. */
  holds(ioba: number): boolean {
    return ioba >= this.start && ioba < this.start + this.size;
  }

  get(ioba: number): bigint {
    return this.#tces.get(this.#index(ioba)) ?? 0n;
  }

  /** Stores an entry, and tells everybody. Bits of the target below the page do not count. */
  put(ioba: number, tce: bigint): void {
    const index = this.#index(ioba);
    if (tce === 0n) this.#tces.delete(index);
    else this.#tces.set(index, tce);
    for (const listener of this.#listeners) listener(this.#event(index, tce));
  }

  subscribe(listener: (event: IommuEvent) => void): () => void {
    this.#listeners.add(listener);
    for (const [index, tce] of this.#tces)
      if (tceAccess(tce) !== 0) listener(this.#event(index, tce));
    return () => this.#listeners.delete(listener);
  }

  #index(ioba: number): number {
    return Math.floor((ioba - this.start) / this.page);
  }

  #event(index: number, tce: bigint): IommuEvent {
    const address = Number(tce);
    return {
      iova: index * this.page,
      size: this.page,
      target: address - (address % this.page),
      access: tceAccess(tce),
    };
  }
}
