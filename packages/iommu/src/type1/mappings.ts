import { EEXIST, EINVAL, ENOENT, ENOMEM, ENOSPC, type Process } from '@vfiokit/uapi';
import type { IovaRanges } from '../address/iova-ranges.js';
import { sizesFrom, smallestPage } from '../address/page-sizes.js';
import { RangeTree } from '../address/range-tree.js';
import {
  DMA_READ,
  DMA_WRITE,
  type DmaAccess,
  type DmaDomain,
  type DmaHit,
} from '../hardware/dma.js';
import { DirtyBitmap } from '../memory/dirty-bitmap.js';
import { lockBytes, unlockBytes } from '../memory/locked-memory.js';
import { locate } from '../memory/pinned-memory.js';
import { type Backing, Backings } from './backing.js';
import type { DirtyTracking, StaleBits } from './bitmap-request.js';
import { ExternalPins } from './external-pins.js';

/** A mapping's flag beside its permission: its virtual address has been withdrawn. */
const VADDR_INVALID = 0x4;
const PERMISSION = DMA_READ | DMA_WRITE;
/** Most pages of a mapping while dirty pages are tracked (DIRTY_BITMAP_PAGES_MAX). */
const TRACKED_PAGES_MAX = 2 ** 31 - 1;

/** What a mapping is asked for with. Addresses and size are multiples of {@link Type1Mappings.minPage}. */
export interface MapRequest {
  readonly iova: number;
  readonly size: number;
  /** The user's address. */
  readonly vaddr: number;
  readonly access: DmaAccess;
}

/**
 * The mappings of a type1 container: disjoint, never merged, never split, at most as many as the limit says
 * (vfio_iommu_type1.c: struct vfio_iommu's dma_list).
 *
 * While an IOMMU uses them ({@link hardware}) all their memory is pinned and counted as locked. It is also the page
 * table: every domain of the container shows the same.
 */
export class Type1Mappings implements DmaDomain {
  readonly name = 'type1';
  readonly tree = new RangeTree<Backing>();
  /** How many more mappings there can be. */
  available: number;
  /** Where mappings can lie; `undefined` for anywhere. */
  ranges: IovaRanges | undefined;
  /** What has been written, while that is tracked. */
  tracking: DirtyTracking | undefined;
  readonly pins: ExternalPins;
  readonly #backings: Backings;
  #pageSizes: bigint;
  #minPage: number;
  #hardware = false;
  #invalid = 0;

  constructor(
    limit: number,
    readonly page: number,
  ) {
    this.available = limit;
    this.#pageSizes = sizesFrom(page);
    this.#minPage = page;
    this.pins = new ExternalPins(this);
    this.#backings = new Backings(page);
  }

  /** A bit for each page size that every IOMMU of the container can use. */
  get pageSizes(): bigint {
    return this.#pageSizes;
  }

  set pageSizes(sizes: bigint) {
    this.#pageSizes = sizes;
    this.#minPage = smallestPage(sizes);
  }

  /** The granule of addresses and sizes. */
  get minPage(): number {
    return this.#minPage;
  }

  /** An IOMMU uses the mappings. */
  get hardware(): boolean {
    return this.#hardware;
  }

  /** How many mappings have no virtual address at the moment. */
  get invalid(): number {
    return this.#invalid;
  }

  /**
   * Makes a mapping (vfio_iommu_type1.c: vfio_dma_do_map).
   *
   * @returns 0; `-EEXIST` (anything mapped there), `-ENOSPC` (limit), `-EINVAL` (outside of the ranges), `-ENOMEM`
   * (locked memory), `-EFAULT` (no such memory). Nothing has changed then.
   */
  map({ iova, size, vaddr, access }: MapRequest, process: Process): number {
    const end = iova + size;
    if (this.tree.firstWithin(iova, end) !== 0) return -EEXIST;
    if (this.available === 0) return -ENOSPC;
    if (this.ranges && !this.ranges.hold(iova, end)) return -EINVAL;
    if (this.tracking && size / this.#minPage > TRACKED_PAGES_MAX) return -EINVAL;
    const backing = this.#backing(process, vaddr, size, access);
    if (typeof backing === 'number') return backing;
    this.tree.insert(iova, end, vaddr, access, backing);
    this.available -= 1;
    return 0;
  }

  /** Removes a mapping, wherever it is used, and returns its size. */
  remove(row: number): number {
    const { start, end } = this.tree.range(row);
    if (this.#hardware) unlockBytes(this.tree.object(row).process, this.#counted(row));
    if (this.tree.flags(row) & VADDR_INVALID) this.#invalid -= 1;
    this.pins.drop(row);
    this.tracking?.written.clear(start, end);
    this.tracking?.stale?.drop(row);
    this.tree.remove(row);
    this.available += 1;
    return end - start;
  }

  removeAll(): number {
    let size = 0;
    for (const row of this.tree.rows()) size += this.remove(row);
    return size;
  }

  /** Whether an address could be given: its mapping's virtual address is withdrawn. */
  isInvalid(row: number): boolean {
    return (this.tree.flags(row) & VADDR_INVALID) !== 0;
  }

  /** Withdraws or restores the virtual address of a mapping; DMA goes on. */
  setInvalid(row: number, invalid: boolean): void {
    this.tree.setFlags(row, (this.tree.flags(row) & PERMISSION) | (invalid ? VADDR_INVALID : 0));
    this.#invalid += invalid ? 1 : -1;
  }

  /**
   * Gives a mapping whose virtual address is withdrawn a new one, of perhaps another process, who pays from now on.
   *
   * @returns 0; `-ENOENT` (nothing mapped), `-EINVAL` (not withdrawn, or not of that extent), `-ENOMEM`.
   */
  updateVaddr({ iova, size, vaddr }: MapRequest, process: Process): number {
    const { tree } = this;
    const row = tree.firstWithin(iova, iova + size);
    if (row === 0) return -ENOENT;
    const { start, end } = tree.range(row);
    if (!this.isInvalid(row) || start !== iova || end !== iova + size) return -EINVAL;
    const old = tree.object(row);
    const unlimited = process.credentials.ipcLock;
    if (process !== old.process) {
      const bytes = this.#counted(row);
      if (!lockBytes(process, unlimited, bytes, this.page)) return -ENOMEM;
      unlockBytes(old.process, bytes);
    }
    const moved = vaddr - tree.target(row);
    tree.setObject(row, this.#backings.shared(process, unlimited, old.memory, moved));
    this.setInvalid(row, false);
    return 0;
  }

  /** The user's address of an IOVA within a mapping. */
  vaddr(row: number, iova: number): number {
    return this.tree.target(row) + this.tree.object(row).moved + iova - this.tree.start(row);
  }

  /**
   * The first IOMMU comes: everything is pinned and counted, but for the pages that drivers have pinned already.
   *
   * @returns 0, or `-EFAULT` or `-ENOMEM` with nothing pinned.
   */
  pinAll(): number {
    const done: number[] = [];
    for (const row of this.tree.rows()) {
      const { process, unlimited } = this.tree.object(row);
      const { start, end } = this.tree.range(row);
      const vaddr = this.vaddr(row, start);
      const backing = this.#backings.pin({
        process,
        unlimited,
        vaddr,
        size: end - start,
        access: this.tree.flags(row) & PERMISSION,
        counted: this.pins.lockedBytes(row),
      });
      if (typeof backing === 'number') {
        for (const pinned of done) this.#unpin(pinned);
        return backing;
      }
      this.tree.setObject(row, backing);
      this.tree.setTarget(row, vaddr);
      done.push(row);
    }
    this.#hardware = true;
    return 0;
  }

  /** The last IOMMU has gone, but mappings stay: only what drivers have pinned is counted from now on. */
  unpinAll(): void {
    for (const row of this.tree.rows()) this.#unpin(row);
    this.#hardware = false;
  }

  /** The last IOMMU has gone, and every mapping with it. */
  dropHardware(): void {
    this.removeAll();
    this.#hardware = false;
  }

  /** Marks everything as written: something was there that writes without telling. */
  dirtyAll(): void {
    for (const row of this.tree.rows())
      this.tracking?.written.set(this.tree.start(row), this.tree.end(row));
  }

  /**
   * Starts to track which pages are written; `-EINVAL` if a mapping has too many.
   *
   * @param stale where leftovers of reports are kept, for a kernel that has them.
   */
  startTracking(stale: StaleBits | undefined): number {
    if (this.tracking) return 0;
    for (const row of this.tree.rows())
      if ((this.tree.end(row) - this.tree.start(row)) / this.#minPage > TRACKED_PAGES_MAX)
        return -EINVAL;
    const written = new DirtyBitmap(this.#minPage);
    for (const row of this.tree.rows()) this.pins.dirty(row, written);
    this.tracking = { written, stale };
    return 0;
  }

  translate(iova: number, access: DmaAccess, hit: DmaHit): boolean {
    const { tree } = this;
    const row = tree.find(iova);
    if (row === 0 || (tree.flags(row) & access) === 0) return false;
    const address = tree.target(row) + iova - tree.start(row);
    return locate(tree.object(row).memory, address, tree.end(row) - iova, hit);
  }

  #backing(process: Process, vaddr: number, size: number, access: DmaAccess): Backing | number {
    const unlimited = process.credentials.ipcLock;
    return this.#hardware
      ? this.#backings.pin({ process, unlimited, vaddr, size, access, counted: 0 })
      : this.#backings.shared(process, unlimited, [], 0);
  }

  #unpin(row: number): void {
    const { process, unlimited, moved } = this.tree.object(row);
    unlockBytes(process, this.#counted(row) - this.pins.lockedBytes(row));
    this.tree.setObject(row, this.#backings.shared(process, unlimited, [], moved));
  }

  /** How many bytes of a mapping count as locked memory. */
  #counted(row: number): number {
    const from = this.tree.target(row);
    const to = from + this.tree.end(row) - this.tree.start(row);
    let bytes = 0;
    for (const { address, size, deviceMemory } of this.tree.object(row).memory)
      if (!deviceMemory) bytes += Math.min(to, address + size) - Math.max(from, address);
    return bytes;
  }
}
