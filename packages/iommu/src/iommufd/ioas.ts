import {
  EADDRINUSE,
  EBUSY,
  EDEADLK,
  EEXIST,
  EINVAL,
  ENOENT,
  ENOMEM,
  EOVERFLOW,
  EPERM,
} from '@vfiokit/uapi';
import { ADDRESS_END, type AddressRange, aligned } from '../address/address.js';
import { smallestPage } from '../address/page-sizes.js';
import { DMA_WRITE, type DmaAccess } from '../hardware/dma.js';
import { findIova } from './auto-iova.js';
import { IoAreas, type IoPiece } from './io-areas.js';
import type { IoPages, PagesHost } from './io-pages.js';
import { IovaPolicy } from './iova-policy.js';
import { IommufdObject } from './object.js';

/** A page table that shows an address space to devices. */
export interface IoasDomain {
  /** Bitmap of its page sizes. */
  readonly pageSizes: bigint;
  /** What it can translate. */
  readonly aperture: AddressRange;
}

/** Somebody in the kernel who uses the address space: an emulated device. */
export interface IoasAccess {
  /** It pins pages, which wants whole ones. */
  readonly pins: boolean;
  /** Memory goes: give back what is pinned in this range. */
  unmap(iova: number, length: number): void;
}

/** What a mapping is asked for with. */
export interface IoasMapRequest {
  /** `undefined`: choose one. */
  readonly iova: number | undefined;
  readonly length: number;
  readonly access: DmaAccess;
}

/** What became of an unmap. */
export interface Unmapped {
  /** 0, or the negated errno that ended it. */
  readonly error: number;
  /** Bytes of the areas that were removed, up to there. */
  readonly bytes: number;
}

/** How often devices are told to let go before an unmap gives up. */
const UNMAP_ROUNDS = 100;

/** An I/O address space: areas of memory at IOVAs, shown by any number of page tables (io_pagetable.c, ioas.c). */
export class Ioas extends IommufdObject {
  readonly type = 'ioas';
  readonly areas = new IoAreas();
  /** Which IOVAs can be mapped, and which are chosen from. */
  readonly policy = new IovaPolicy();
  readonly #domains = new Set<IoasDomain>();
  readonly #accesses = new Set<IoasAccess>();
  #alignment = 1;
  #hugePages = true;

  constructor(private readonly host: PagesHost) {
    super();
  }

  /** What IOVAs and lengths have to be multiples of. */
  get alignment(): number {
    return this.#alignment;
  }

  /** More than a page may be mapped at once. */
  get hugePages(): boolean {
    return this.#hugePages;
  }

  get domains(): ReadonlySet<IoasDomain> {
    return this.#domains;
  }

  // --- mapping ---

  /**
   * Maps pieces of memory one behind the other (io_pagetable.c: iopt_map_pages).
   *
   * @returns where, or with nothing changed `-EINVAL` (alignment, reserved), `-EEXIST`, `-EOVERFLOW`, `-ENOSPC` (no room
   * to choose), and what pinning fails with.
   */
  map(request: IoasMapRequest, pieces: readonly IoPiece[]): number {
    const place = this.#place(request, pieces);
    if (place < 0) return place;
    if (request.access & DMA_WRITE && pieces.some(({ pages }) => !pages.writable)) return -EPERM;
    let at = place;
    for (const [index, { pages, offset, length }] of pieces.entries()) {
      const error = this.#compatible(pages, offset, at)
        ? this.areas.pin(pages, offset, length)
        : -EINVAL;
      if (error !== 0) {
        if (index > 0) for (const row of this.areas.within(place, at)) this.areas.drop(row);
        return error;
      }
      this.areas.insert(at, at + length, offset, request.access, pages);
      at += length;
    }
    return place;
  }

  /**
   * Unmaps every area in a range (io_pagetable.c: iopt_unmap_iova_range).
   *
   * @param partial what to do with one that lies only partly in it.
   * @returns 0; `-ENOENT` (partly covered; areas before it are gone with `'stop'`), `-EBUSY` (in use by a hardware queue),
   * `-EDEADLK` (somebody does not let go). In each case with how many bytes are gone.
   */
  unmap(start: number, end: number, partial: 'stop' | 'refuse'): Unmapped {
    if (partial === 'refuse')
      for (const row of this.areas.within(start, end))
        if (this.areas.start(row) < start || this.areas.end(row) > end)
          return { error: -ENOENT, bytes: 0 };
    let bytes = 0;
    for (const row of this.areas.within(start, end)) {
      if (this.areas.locks.has(row)) return { error: -EBUSY, bytes };
      const range = this.areas.range(row);
      if (range.start < start || range.end > end) return { error: -ENOENT, bytes };
      if (!this.#askToLetGo(row)) return { error: -EDEADLK, bytes };
      this.areas.drop(row);
      bytes += range.end - range.start;
    }
    return { error: 0, bytes };
  }

  /**
   * Makes sure that no area spans an address (io_pagetable.c: iopt_cut_iova).
   *
   * @returns 0; `-EINVAL` (large pages may span it, or it is not aligned), `-EBUSY` (a driver or a queue uses the area).
   */
  cut(address: number): number {
    const row = this.areas.find(address);
    if (row === 0 || this.areas.start(row) === address) return 0;
    if (this.#hugePages || !aligned(address, this.#alignment)) return -EINVAL;
    if (this.areas.accesses.has(row) || this.areas.locks.has(row)) return -EBUSY;
    const { start, end } = this.areas.range(row);
    const pages = this.areas.object(row);
    const access = this.areas.flags(row);
    const from = this.areas.target(row);
    const at = from + address - start;
    const to = from + end - start;
    // The halves are pinned before the whole is let go, so that nothing is counted anew.
    const error = this.areas.pin(pages, from, at - from) || this.areas.pin(pages, at, to - at);
    if (error !== 0) return error;
    this.areas.drop(row);
    this.areas.insert(start, address, from, access, pages);
    this.areas.insert(address, end, at, access, pages);
    return 0;
  }

  // --- who uses it ---

  /**
   * A page table joins: it is filled with all areas (io_pagetable.c: iopt_table_add_domain).
   *
   * @returns 0; `-EINVAL` (its pages are larger than the CPU's), `-EADDRINUSE` (an area lies out of its reach or is not
   * aligned), or what pinning fails with. Nothing has changed then.
   */
  addDomain(domain: IoasDomain): number {
    if (this.#domains.has(domain)) return -EEXIST;
    if (smallestPage(domain.pageSizes) > this.host.pageSize) return -EINVAL;
    const { start, end } = domain.aperture;
    const outside = [
      { start: 0, end: start },
      { start: end, end: ADDRESS_END },
    ].filter((range) => range.start < range.end);
    if (!this.host.faults.allocates()) return -ENOMEM;
    if (outside.some((range) => this.#inUse(range))) return -EADDRINUSE;
    this.policy.reserve(outside, domain);
    this.#domains.add(domain);
    const error = this.#realign() || (this.#domains.size === 1 ? this.areas.show() : 0);
    if (error !== 0) {
      this.#domains.delete(domain);
      this.policy.release(domain);
      this.#realign();
    }
    return error;
  }

  removeDomain(domain: IoasDomain): void {
    if (!this.#domains.delete(domain)) return;
    if (this.#domains.size === 0) this.areas.hide();
    this.policy.release(domain);
    this.#realign();
  }

  /** A driver of an emulated device joins: 0, or `-EADDRINUSE` if areas are not aligned to pages. */
  addAccess(access: IoasAccess): number {
    this.#accesses.add(access);
    const error = this.#realign();
    if (error !== 0) {
      this.#accesses.delete(access);
      this.#realign();
    }
    return error;
  }

  removeAccess(access: IoasAccess): void {
    this.#accesses.delete(access);
    this.#realign();
  }

  /** Nobody may map there any more: 0, or `-EADDRINUSE` where something is mapped or has to stay usable. */
  reserve(ranges: readonly AddressRange[], owner: object): number {
    if (ranges.some((range) => this.#inUse(range))) return -EADDRINUSE;
    this.policy.reserve(ranges, owner);
    return 0;
  }

  /** Whether more than a page may be mapped at once: 0, `-EINVAL` (with page tables filled), `-EADDRINUSE` (alignment). */
  setHugePages(on: boolean): number {
    if (on === this.#hugePages) return 0;
    if (!on && this.#domains.size > 0 && this.areas.size > 0) return -EINVAL;
    this.#hugePages = on;
    const error = this.#realign();
    if (error !== 0) {
      this.#hugePages = !on;
      this.#realign();
    }
    return error;
  }

  /** Everything is given back. */
  override destroy(): void {
    for (const row of this.areas.rows()) this.areas.drop(row);
  }

  #place({ iova, length }: IoasMapRequest, pieces: readonly IoPiece[]): number {
    const first = pieces[0];
    if (length <= 0 || first === undefined) return -EINVAL;
    if (!aligned(length, this.#alignment)) return -EINVAL;
    if (!this.host.faults.allocates()) return -ENOMEM;
    if (iova === undefined) return this.#choose(first, length);
    if (!aligned(iova, this.#alignment)) return -EINVAL;
    const end = iova + length;
    if (end > ADDRESS_END) return -EOVERFLOW;
    if (this.policy.reservedIn({ start: iova, end })) return -EINVAL;
    return this.areas.firstWithin(iova, end) === 0 ? iova : -EEXIST;
  }

  #choose({ pages, offset }: IoPiece, length: number): number {
    return findIova(
      {
        address: pages.address + offset,
        length,
        page: this.host.pageSize,
        alignment: this.#alignment,
        allowed: this.policy.allowed,
      },
      (start, end) => {
        const row = this.areas.firstWithin(start, end);
        if (row !== 0) return this.areas.end(row);
        return this.policy.reservedIn({ start, end })?.end;
      },
    );
  }

  /** The place of a piece within its page has to go with where it is mapped. */
  #compatible(pages: IoPages, offset: number, iova: number): boolean {
    return aligned(pages.address + offset - iova, Math.min(this.#alignment, this.host.pageSize));
  }

  /** Tells drivers to give back what they have pinned in an area; false if somebody does not. */
  #askToLetGo(row: number): boolean {
    const { start, end } = this.areas.range(row);
    for (let round = 0; this.areas.accesses.has(row); round += 1) {
      if (round === UNMAP_ROUNDS) return false;
      for (const access of this.#accesses) access.unmap(start, end - start);
    }
    return true;
  }

  #inUse(range: AddressRange): boolean {
    return this.areas.firstWithin(range.start, range.end) !== 0 || this.policy.allowedIn(range);
  }

  /** Computes the alignment anew: 0, or `-EADDRINUSE` if an area is not aligned to it. */
  #realign(): number {
    const alignment = Math.max(
      this.#hugePages ? 1 : this.host.pageSize,
      ...[...this.#accesses].map(({ pins }) => (pins ? this.host.pageSize : 1)),
      ...[...this.#domains].map(({ pageSizes }) => smallestPage(pageSizes)),
    );
    if (alignment > this.#alignment && !this.areas.allAligned(alignment)) return -EADDRINUSE;
    this.#alignment = alignment;
    return 0;
  }
}
