import { ENOENT } from '@vfiokit/uapi';
import { aligned } from '../address/address.js';
import { RangeTree } from '../address/range-tree.js';
import type { DmaAccess, DmaHit } from '../hardware/dma.js';
import type { IoPages } from './io-pages.js';

/** Pieces of memory that become areas, one behind the other. */
export interface IoPiece {
  readonly pages: IoPages;
  /** Where in them the piece starts. */
  readonly offset: number;
  readonly length: number;
}

/** How many users areas have, by row. */
export class AreaUsers {
  readonly #counts = new Map<number, number>();

  has(row: number): boolean {
    return this.#counts.has(row);
  }

  add(row: number): void {
    this.#counts.set(row, (this.#counts.get(row) ?? 0) + 1);
  }

  delete(row: number): void {
    const left = (this.#counts.get(row) ?? 0) - 1;
    if (left > 0) this.#counts.set(row, left);
    else this.#counts.delete(row);
  }
}

/** The areas of an IOAS, each a part of some memory at IOVAs, pinned while page tables show them (struct iopt_area). */
export class IoAreas extends RangeTree<IoPages> {
  /** What drivers of emulated devices have pinned: they are asked to let go before an unmap (iopt_area.num_accesses). */
  readonly accesses = new AreaUsers();
  /** Hardware queues that lie there: such an area stays (iopt_area.num_locks). */
  readonly locks = new AreaUsers();
  /** Page tables show the areas: what is in them is pinned. */
  #shown = false;

  /** Shows all areas: 0, or what pinning fails with, with nothing pinned. */
  show(): number {
    const pinned: number[] = [];
    for (const row of this.rows()) {
      const error = this.object(row).pin(...this.#slice(row));
      if (error !== 0) {
        for (const done of pinned) this.object(done).unpin(...this.#slice(done));
        return error;
      }
      pinned.push(row);
    }
    this.#shown = true;
    return 0;
  }

  /** No page table shows the areas any more. */
  hide(): void {
    for (const row of this.rows()) this.object(row).unpin(...this.#slice(row));
    this.#shown = false;
  }

  /** Pins a part of some memory that is about to become an area, if areas are shown: 0 or a negated errno. */
  pin(pages: IoPages, from: number, length: number): number {
    return this.#shown ? pages.pin(from, from + length) : 0;
  }

  /** Takes an area away. */
  drop(row: number): void {
    if (this.#shown) this.object(row).unpin(...this.#slice(row));
    this.remove(row);
  }

  /** The memory behind a range, `-ENOENT` unless areas cover all of it. */
  pieces(start: number, end: number): readonly IoPiece[] | number {
    const pieces: IoPiece[] = [];
    let at = start;
    while (at < end) {
      const row = this.find(at);
      if (row === 0) return -ENOENT;
      const length = Math.min(this.end(row), end) - at;
      const offset = this.target(row) + at - this.start(row);
      pieces.push({ pages: this.object(row), offset, length });
      at += length;
    }
    return pieces;
  }

  /** Finds out where an address leads. */
  translate(iova: number, access: DmaAccess, hit: DmaHit): boolean {
    const row = this.find(iova);
    if (row === 0 || (this.flags(row) & access) === 0) return false;
    const offset = this.target(row) + iova - this.start(row);
    return this.object(row).locate(offset, this.end(row) - iova, hit);
  }

  /** Whether borders, and places in memory, are multiples of that. */
  allAligned(alignment: number): boolean {
    for (const row of this.rows()) {
      const { start, end } = this.range(row);
      const place = this.object(row).address + this.target(row) - start;
      if (![start, end, place].every((address) => aligned(address, alignment))) return false;
    }
    return true;
  }

  #slice(row: number): [from: number, to: number] {
    const from = this.target(row);
    return [from, from + this.end(row) - this.start(row)];
  }
}
