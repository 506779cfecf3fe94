import {
  copyArgszIn,
  copyIn,
  EACCES,
  EFAULT,
  EINVAL,
  type IoctlArgument,
  type Process,
  VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP,
  VFIO_IOMMU_DIRTY_PAGES_FLAG_START,
  VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP,
  vfioIommuType1DirtyBitmap,
  vfioIommuType1DirtyBitmapGet,
} from '@vfiokit/uapi';
import { wraps } from '../address/address.js';
import { BitmapRequest, checkBitmap } from './bitmap-request.js';
import type { Type1 } from './type1.js';

const WITH_RANGE = vfioIommuType1DirtyBitmap.size + vfioIommuType1DirtyBitmapGet.size;

/** VFIO_IOMMU_DIRTY_PAGES: `-EACCES` on v1, before anything is read (vfio_iommu_type1_dirty_pages). */
export function dirtyPagesIoctl(type1: Type1, argument: IoctlArgument, caller: Process): number {
  if (!type1.v2) return -EACCES;
  const dirty = copyArgszIn(argument, vfioIommuType1DirtyBitmap);
  if (typeof dirty === 'number') return dirty;
  switch (dirty.flags) {
    case VFIO_IOMMU_DIRTY_PAGES_FLAG_START:
      return type1.startTracking();
    case VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP:
      type1.mappings.tracking = undefined;
      return 0;
    case VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP:
      return getBitmap(type1, dirty.argsz, argument, caller);
    default:
      return -EINVAL;
  }
}

function getBitmap(type1: Type1, argsz: number, argument: IoctlArgument, caller: Process): number {
  const { mappings } = type1;
  if (argsz < WITH_RANGE) return -EINVAL;
  const view = copyIn(argument, WITH_RANGE);
  if (view === undefined) return -EFAULT;
  const { iova, size, bitmap } = vfioIommuType1DirtyBitmapGet.decode(
    view,
    vfioIommuType1DirtyBitmap.size,
  );
  if (size === 0n) return -EINVAL;
  if (wraps(iova, size)) return type1.wrapped;
  const impossible = checkBitmap(bitmap, size);
  if (impossible) return impossible;
  const page = BigInt(mappings.minPage);
  if (bitmap.pgsize !== page || (iova | size) & (page - 1n) || !mappings.tracking) return -EINVAL;
  const start = Number(iova);
  const request = new BitmapRequest(caller, start, mappings.minPage, Number(bitmap.data));
  return report(type1, start, start + Number(size), request);
}

/**
 * Reports what was written since the last time, and forgets about it. Pages that drivers keep pinned may be written at
 * any time: they are dirty again at once (vfio_iommu_type1.c: vfio_iova_dirty_bitmap).
 */
function report(type1: Type1, start: number, end: number, request: BitmapRequest): number {
  const { tree, tracking, pins } = type1.mappings;
  if (tracking === undefined || tree.bisects(start) || tree.bisects(end)) return -EINVAL;
  for (const row of tree.within(start, end)) {
    const range = tree.range(row);
    const result = request.report({ row, ...range, ...tracking, all: type1.allDirty });
    if (result !== 0) return result;
    tracking.written.clear(range.start, range.end);
    pins.dirty(row, tracking.written);
  }
  return 0;
}
