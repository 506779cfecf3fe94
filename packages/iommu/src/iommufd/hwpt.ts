import type { AddressRange } from '../address/address.js';
import { smallestPage } from '../address/page-sizes.js';
import type { DmaAccess, DmaDomain, DmaHit } from '../hardware/dma.js';
import type { Iommu } from '../hardware/iommu.js';
import { DirtyBitmap } from '../memory/dirty-bitmap.js';
import type { FaultQueue } from './fault-queue.js';
import type { Ioas, IoasDomain } from './ioas.js';
import { IommufdObject } from './object.js';

/** What a paging HWPT was allocated for. */
export interface HwptPagingOptions {
  /** Made by an attachment to an IOAS, and gone with the last one. */
  readonly automatic: boolean;
  readonly nestParent: boolean;
  /** Only devices whose IOMMU tracks dirty pages can be attached. */
  readonly tracksDirty: boolean;
  readonly pasid: boolean;
  readonly faults: FaultQueue | undefined;
}

/** A page table of the IOMMU that devices are attached to. */
export type Hwpt = HwptPaging | HwptNested;

/** A hardware page table that shows an IOAS (hw_pagetable.c: struct iommufd_hwpt_paging). */
export class HwptPaging extends IommufdObject implements DmaDomain, IoasDomain {
  readonly type = 'hwpt-paging';
  readonly pageSizes: bigint;
  readonly aperture: AddressRange;
  readonly #written: DirtyBitmap;
  #tracking = false;

  constructor(
    readonly ioas: Ioas,
    readonly iommu: Iommu,
    readonly options: HwptPagingOptions,
  ) {
    super();
    this.pageSizes = iommu.pageSizes;
    this.aperture = iommu.aperture;
    this.#written = new DirtyBitmap(smallestPage(iommu.pageSizes));
    ioas.users += 1;
  }

  get name(): string {
    return `hwpt ${this.id}`;
  }

  /** Devices that do not ignore no-snoop cannot use it: it was made for one that does. */
  get enforcesCacheCoherency(): boolean {
    return this.iommu.enforcesCacheCoherency;
  }

  /** Hardware notes what is written. */
  get tracking(): boolean {
    return this.#tracking;
  }

  /** What devices have written while it is noted. */
  get written(): DirtyBitmap {
    return this.#written;
  }

  /** Starts or stops noting writes; nothing counts as written when it starts. */
  setTracking(on: boolean): void {
    if (on && !this.#tracking) for (const row of this.ioas.areas.rows()) this.#clear(row);
    this.#tracking = on;
  }

  translate(iova: number, access: DmaAccess, hit: DmaHit): boolean {
    return this.ioas.areas.translate(iova, access, hit);
  }

  wrote(iova: number, length: number): void {
    if (this.#tracking) this.#written.set(iova, iova + length);
  }

  override destroy(): void {
    this.ioas.users -= 1;
    this.ioas.removeDomain(this);
    if (this.options.faults) this.options.faults.users -= 1;
  }

  #clear(row: number): void {
    this.#written.clear(this.ioas.areas.start(row), this.ioas.areas.end(row));
  }
}

/** How a guest's page table is walked: from an address of the device to one of the guest. */
export interface GuestPageTable {
  /**
   * Translates a page of 4 KiB.
   *
   * @returns the guest's address, or `undefined` if the access faults.
   */
  walk(iova: number, access: DmaAccess): number | undefined;
}

const GUEST_PAGE = 4096;

/** A guest's own page table, nested on one that shows the guest's memory (struct iommufd_hwpt_nested). */
export class HwptNested extends IommufdObject implements DmaDomain {
  readonly type = 'hwpt-nested';
  /** Translations that the IOMMU remembers until the guest's invalidations arrive. */
  readonly #tlb = new Map<number, number>();

  /** @param owner the nest parent, or the vIOMMU on it. */
  constructor(
    readonly parent: HwptPaging,
    readonly iommu: Iommu,
    readonly table: GuestPageTable,
    readonly pasid: boolean,
    private readonly owner: IommufdObject,
    readonly faults: FaultQueue | undefined,
  ) {
    super();
    owner.users += 1;
  }

  get name(): string {
    return `hwpt ${this.id} on ${this.parent.name}`;
  }

  translate(iova: number, access: DmaAccess, hit: DmaHit): boolean {
    const offset = iova % GUEST_PAGE;
    const page = iova - offset;
    const key = page + access;
    const target = this.#tlb.get(key) ?? this.table.walk(page, access);
    if (target === undefined) return false;
    this.#tlb.set(key, target);
    if (!this.parent.translate(target + offset, access, hit)) return false;
    hit.length = Math.min(hit.length, GUEST_PAGE - offset);
    return true;
  }

  wrote(iova: number, length: number): void {
    const offset = iova % GUEST_PAGE;
    const target = this.table.walk(iova - offset, 2);
    if (target !== undefined) this.parent.wrote(target + offset, length);
  }

  /** The guest has changed its page table in a range. */
  invalidate(start: number, end: number): void {
    for (const key of this.#tlb.keys())
      if (key - (key % GUEST_PAGE) >= start && key < end) this.#tlb.delete(key);
  }

  override destroy(): void {
    this.owner.users -= 1;
    if (this.faults) this.faults.users -= 1;
  }
}
