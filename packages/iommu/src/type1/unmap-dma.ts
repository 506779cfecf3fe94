import {
  copyIn,
  EBUSY,
  EFAULT,
  EINVAL,
  type IoctlArgument,
  type Process,
  VFIO_DMA_UNMAP_FLAG_ALL,
  VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP,
  VFIO_DMA_UNMAP_FLAG_VADDR,
  type VfioBitmap,
  vfioBitmap,
  vfioIommuType1DmaUnmap,
} from '@vfiokit/uapi';
import {
  ADDRESS_END,
  type Field64,
  hex,
  isMultiple,
  readField64,
  wraps,
  writeField64,
} from '../address/address.js';
import { BitmapRequest, checkBitmap } from './bitmap-request.js';
import type { Type1 } from './type1.js';

const KNOWN =
  VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP | VFIO_DMA_UNMAP_FLAG_ALL | VFIO_DMA_UNMAP_FLAG_VADDR;
const { size: SIZE, offsets: AT } = vfioIommuType1DmaUnmap;
const WITH_BITMAP = SIZE + vfioBitmap.size;
/** How often devices are told to unpin before the kernel gives up on them. */
const NOTIFICATIONS_MAX = 10;

/** What is to be unmapped, checked. */
interface UnmapRequest {
  readonly start: number;
  readonly end: number;
  readonly all: boolean;
  /** Only the virtual addresses. */
  readonly vaddr: boolean;
  /** Where to report what was written. */
  readonly bitmap?: BitmapRequest;
}

/** VFIO_IOMMU_UNMAP_DMA: writes back how many bytes were unmapped; on error nothing (vfio_iommu_type1_unmap_dma). */
export function unmapDmaIoctl(type1: Type1, argument: IoctlArgument, caller: Process): number {
  const view = copyIn(argument, SIZE);
  if (view === undefined) return -EFAULT;
  if (view.getUint32(AT.argsz, true) < SIZE) return -EINVAL;
  const request = checked(type1, view, argument, caller);
  if (typeof request === 'number') return request;
  const size = unmapRange(type1, request);
  if (size < 0) return size;
  writeField64(view, AT.size, size);
  return 0;
}

/** What is asked for, if it can be; otherwise a negated errno. */
function checked(
  type1: Type1,
  view: DataView,
  argument: IoctlArgument,
  caller: Process,
): UnmapRequest | number {
  const flags = view.getUint32(AT.flags, true);
  const iova = readField64(view, AT.iova);
  const size = readField64(view, AT.size);
  const bitmap = bitmapOf(view, flags, size, argument);
  if (typeof bitmap === 'number') return bitmap;
  const { mappings } = type1;
  const { minPage } = mappings;
  const all = (flags & VFIO_DMA_UNMAP_FLAG_ALL) !== 0;
  const vaddr = (flags & VFIO_DMA_UNMAP_FLAG_VADDR) !== 0;
  if (vaddr && type1.hasEmulated) return -EBUSY;
  if (!isMultiple(iova, minPage)) return -EINVAL;
  if (all) return iova || size ? -EINVAL : { start: 0, end: ADDRESS_END, all, vaddr };
  if (!size || !isMultiple(size, minPage)) return -EINVAL;
  if (wraps(iova, size)) return type1.wrapped;
  const start = Number(iova);
  const range = { start, end: start + Number(size), all, vaddr };
  if (bitmap === undefined) return range;
  if (!mappings.tracking || bitmap.pgsize !== BigInt(minPage)) return -EINVAL;
  return { ...range, bitmap: new BitmapRequest(caller, start, minPage, Number(bitmap.data)) };
}

/** The descriptor of the bitmap that follows the structure, if one is wanted; a negated errno if it is no good. */
function bitmapOf(
  view: DataView,
  flags: number,
  size: Field64,
  argument: IoctlArgument,
): VfioBitmap | undefined | number {
  if (flags & ~KNOWN) return -EINVAL;
  if (!(flags & VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP)) return undefined;
  if (flags & (VFIO_DMA_UNMAP_FLAG_ALL | VFIO_DMA_UNMAP_FLAG_VADDR)) return -EINVAL;
  if (view.getUint32(AT.argsz, true) < WITH_BITMAP) return -EINVAL;
  const whole = copyIn(argument, WITH_BITMAP);
  if (whole === undefined) return -EFAULT;
  const bitmap = vfioBitmap.decode(whole, SIZE);
  return checkBitmap(bitmap, BigInt(size)) || bitmap;
}

/**
 * Removes the mappings of a range (vfio_iommu_type1.c: vfio_dma_do_unmap).
 *
 * v2 refuses a range that would cut one. v1 removes a mapping whole when it is asked for its start, and stops at one
 * that starts earlier.
 *
 * @returns how many bytes were mapped there, or a negated errno.
 */
export function unmapRange(type1: Type1, request: UnmapRequest): number {
  const { mappings, v2 } = type1;
  const { tree } = mappings;
  const { start, end } = request;
  let row = tree.firstWithin(start, end);
  if (v2 && !request.all && cuts(type1, row, start, end)) return -EINVAL;
  if (request.vaddr) return withdrawVaddrs(type1, request);
  if (!v2 && row !== 0 && tree.start(row) < start) return 0;
  let unmapped = 0;
  while (row !== 0) {
    notify(type1, row);
    const behind = tree.end(row);
    const { tracking } = mappings;
    if (request.bitmap && tracking) {
      const report = { row, ...tree.range(row), ...tracking, all: type1.allDirty };
      const result = request.bitmap.report(report);
      if (result !== 0) return result;
    }
    unmapped += mappings.remove(row);
    row = behind < end ? tree.firstWithin(behind, end) : 0;
  }
  return unmapped;
}

/** Whether a range would cut a mapping. `first` is the first one that it meets. */
function cuts({ mappings: { tree } }: Type1, first: number, start: number, end: number): boolean {
  if (first === 0) return false;
  if (tree.start(first) === start && tree.end(first) === end) return false;
  return tree.start(first) < start || tree.bisects(end);
}

/** Marks the mappings of a range as without a virtual address: all of them, or none if one is so already. */
function withdrawVaddrs({ mappings, v2 }: Type1, { start, end }: UnmapRequest): number {
  const { tree } = mappings;
  const rows = [...tree.within(start, end)];
  if (!v2 && rows[0] !== undefined && tree.start(rows[0]) < start) return 0;
  if (rows.some((row) => mappings.isInvalid(row))) return -EINVAL;
  for (const row of rows) mappings.setInvalid(row, true);
  return rows.reduce((sum, row) => sum + tree.end(row) - tree.start(row), 0);
}

/** Tells the drivers of emulated devices to unpin what they have pinned in a mapping. */
function notify(type1: Type1, row: number): void {
  const { tree, pins } = type1.mappings;
  const { start, end } = tree.range(row);
  for (let round = 0; pins.has(row); round += 1) {
    if (round === NOTIFICATIONS_MAX)
      throw new Error(
        `type1: pages of ${hex(start)} stay pinned though their driver was told of the unmap ${round} times`,
      );
    for (const device of type1.notified) device.dmaUnmap?.(BigInt(start), BigInt(end - start));
  }
}
