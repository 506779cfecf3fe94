import type { UserMapping } from '@vfiokit/uapi';
import { aligned } from '../address/address.js';
import type { DmaAccess, DmaHit } from '../hardware/dma.js';

const CHUNK = 512;

/** Entries are kept where some are set; a window of billions of empty ones costs nothing. */
interface Chunk {
  /** The address that each entry leads to, page aligned, plus its permission; 0 for none. */
  readonly tces: Float64Array;
  readonly memory: (UserMapping | undefined)[];
}

/** What a DMA window is made with. */
export interface TceWindow {
  /** The first bus address. */
  readonly start: number;
  readonly pageShift: number;
  /** Bytes. */
  readonly size: number;
  readonly levels: number;
}

/**
 * A DMA window and the table behind it: an entry (TCE) for each page, set and cleared by number. No mapping is
 * remembered as such: what was mapped in one call can be unmapped in many (the kernel's struct iommu_table).
 */
export class TceTable implements TceWindow {
  readonly start: number;
  readonly pageShift: number;
  readonly size: number;
  readonly levels: number;
  /** Bytes of a page. */
  readonly page: number;
  readonly #chunks = new Map<number, Chunk>();
  #used = 0;

  constructor({ start, pageShift, size, levels }: TceWindow) {
    this.start = start;
    this.pageShift = pageShift;
    this.size = size;
    this.levels = levels;
    this.page = 2 ** pageShift;
  }

  /** How many entries are set. */
  get used(): number {
    return this.#used;
  }

  /** Bytes of the table itself, which count as locked memory. */
  get tableBytes(): number {
    return (this.size / this.page) * 8;
  }

  /** Whether an address is in the window. */
  holds(address: number): boolean {
    return address >= this.start && address < this.start + this.size;
  }

  /** Whether so many pages from an address on are in the window, and it is a page's. */
  holdsPages(address: number, count: number): boolean {
    return (
      aligned(address, this.page) &&
      address >= this.start &&
      address + count * this.page <= this.start + this.size
    );
  }

  /** What the entry of an address holds: target plus permission, 0 for none. */
  get(address: number): number {
    const entry = this.#entry(address);
    return this.#chunks.get(Math.floor(entry / CHUNK))?.tces[entry % CHUNK] ?? 0;
  }

  /** Sets an entry; returns what it held before. */
  set(address: number, target: number, access: DmaAccess, memory: UserMapping | undefined): number {
    const entry = this.#entry(address);
    const number = Math.floor(entry / CHUNK);
    let chunk = this.#chunks.get(number);
    if (chunk === undefined) {
      chunk = { tces: new Float64Array(CHUNK), memory: [] };
      this.#chunks.set(number, chunk);
    }
    const at = entry % CHUNK;
    const before = chunk.tces[at]!;
    chunk.tces[at] = target + access;
    chunk.memory[at] = memory;
    this.#used += (access !== 0 ? 1 : 0) - (before !== 0 ? 1 : 0);
    return before;
  }

  /** Clears an entry; returns what it held before. */
  clear(address: number): number {
    return this.get(address) === 0 ? 0 : this.set(address, 0, 0, undefined);
  }

  /** The addresses of the entries that are set. */
  *entries(): Generator<number> {
    for (const [number, { tces }] of this.#chunks)
      for (const [index, tce] of tces.entries())
        if (tce !== 0) yield this.start + (number * CHUNK + index) * this.page;
  }

  /** Finds out where an address leads. */
  translate(address: number, access: DmaAccess, hit: DmaHit): boolean {
    const entry = this.#entry(address);
    const chunk = this.#chunks.get(Math.floor(entry / CHUNK));
    if (chunk === undefined) return false;
    const tce = chunk.tces[entry % CHUNK]!;
    if (((tce % 4) & access) === 0) return false;
    const offset = (address - this.start) % this.page;
    hit.memory = chunk.memory[entry % CHUNK];
    hit.offset = targetOf(tce) - (hit.memory?.address ?? 0) + offset;
    hit.length = this.page - offset;
    return true;
  }

  #entry(address: number): number {
    return Math.floor((address - this.start) / this.page);
  }
}

/** Where an entry leads. */
export function targetOf(tce: number): number {
  return tce - (tce % 4);
}
