import { EFAULT, EINVAL, ENOMEM, EPERM } from '@vfiokit/uapi';
import { alignDown } from '../address/address.js';
import type { PinnedPage } from '../container/emulated-dma.js';
import { DMA_WRITE, type DmaAccess } from '../hardware/dma.js';
import type { DirtyBitmap } from '../memory/dirty-bitmap.js';
import { lockBytes, unlockBytes } from '../memory/locked-memory.js';
import { pin } from '../memory/pinned-memory.js';
import type { Type1Mappings } from './mappings.js';

interface Pin {
  readonly page: PinnedPage;
  references: number;
}

/**
 * The pages that drivers of emulated devices have pinned, by mapping (vfio_iommu_type1.c: struct vfio_pfn). They count
 * as locked memory only while no IOMMU uses the mappings, which would have counted them already.
 */
export class ExternalPins {
  readonly #byRow = new Map<number, Map<number, Pin>>();

  constructor(private readonly mappings: Type1Mappings) {}

  /** Some page of a mapping is pinned. */
  has(row: number): boolean {
    return this.#byRow.size > 0 && this.#byRow.has(row);
  }

  /** How many bytes of a mapping are pinned. */
  lockedBytes(row: number): number {
    return (this.#byRow.get(row)?.size ?? 0) * this.mappings.page;
  }

  /**
   * Pins pages, or none.
   *
   * @returns them, or `-EINVAL` (not mapped, or no page of memory), `-EPERM`, `-EFAULT`, `-ENOMEM`.
   */
  pin(iova: number, count: number, access: DmaAccess): readonly PinnedPage[] | number {
    const { page } = this.mappings;
    const pages: PinnedPage[] = [];
    for (let index = 0; index < count; index += 1) {
      const pinned = this.#pinOne(alignDown(iova, page) + index * page, access);
      if (typeof pinned === 'number') {
        this.unpin(iova, index);
        return pinned;
      }
      pages.push(pinned);
    }
    return pages;
  }

  /** Drops a reference of each page, up to the first that is not mapped. */
  unpin(iova: number, count: number): void {
    const { page } = this.mappings;
    for (let index = 0; index < count; index += 1) {
      const address = alignDown(iova, page) + index * page;
      const row = this.mappings.tree.find(address);
      if (row === 0) return;
      const pins = this.#byRow.get(row);
      const held = pins?.get(address);
      if (pins === undefined || held === undefined) continue;
      held.references -= 1;
      if (held.references > 0) continue;
      pins.delete(address);
      if (pins.size === 0) this.#byRow.delete(row);
      if (!this.mappings.hardware) unlockBytes(this.mappings.tree.object(row).process, page);
    }
  }

  /** The mapping goes: what is still pinned in it goes too. */
  drop(row: number): void {
    if (this.#byRow.size === 0) return;
    if (!this.mappings.hardware && this.has(row))
      unlockBytes(this.mappings.tree.object(row).process, this.lockedBytes(row));
    this.#byRow.delete(row);
  }

  /** Marks the pages of a mapping that are pinned: who pins a page may write to it at any time. */
  dirty(row: number, bitmap: DirtyBitmap): void {
    const { page } = this.mappings;
    for (const address of this.#byRow.get(row)?.keys() ?? []) bitmap.set(address, address + page);
  }

  #pinOne(address: number, access: DmaAccess): PinnedPage | number {
    const { tree, page, tracking, hardware } = this.mappings;
    const row = tree.find(address);
    if (row === 0) return -EINVAL;
    if ((tree.flags(row) & access) !== access) return -EPERM;
    const held = this.#byRow.get(row)?.get(address);
    if (held) {
      held.references += 1;
      return held.page;
    }
    const { process, unlimited } = tree.object(row);
    const vaddr = this.mappings.vaddr(row, address);
    const write = (tree.flags(row) & DMA_WRITE) !== 0;
    const { mappings, bytes, counted } = pin(process.memory, vaddr, page, write);
    const memory = mappings[0];
    if (memory === undefined || bytes < page) return -EFAULT;
    if (counted < page) return -EINVAL;
    if (!hardware && !lockBytes(process, unlimited, page, page)) return -ENOMEM;
    const pinned: PinnedPage = { memory, offset: vaddr - memory.address };
    const pins = this.#byRow.get(row) ?? new Map<number, Pin>();
    this.#byRow.set(row, pins.set(address, { page: pinned, references: 1 }));
    tracking?.written.set(address, address + page);
    return pinned;
  }
}
