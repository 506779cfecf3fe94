import {
  copyArgszIn,
  copyOut,
  copyStructOut,
  dmaAvailCapability,
  EFAULT,
  type InfoCapability,
  type IoctlArgument,
  iovaRangeCapability,
  layoutCapabilities,
  type1MigrationCapability,
  VFIO_IOMMU_INFO_CAPS,
  VFIO_IOMMU_INFO_PGSIZES,
  vfioIommuType1Info,
} from '@vfiokit/uapi';
import { type AddressRange, lastOf } from '../address/address.js';
import { DIRTY_BITMAP_SIZE_MAX } from './bitmap-request.js';
import type { Type1 } from './type1.js';

/** Up to the page sizes: what the first version of the call had. */
const MINIMUM = vfioIommuType1Info.ends.iovaPgsizes;

/** VFIO_IOMMU_GET_INFO (vfio_iommu_type1.c: vfio_iommu_type1_get_info). */
export function getInfoIoctl({ mappings }: Type1, argument: IoctlArgument): number {
  const { pageSizes, minPage, available, ranges } = mappings;
  const info = copyArgszIn(argument, vfioIommuType1Info, MINIMUM);
  if (typeof info === 'number') return info;
  const layout = layoutCapabilities(vfioIommuType1Info.size, info.argsz, [
    type1MigrationCapability.encode({
      flags: 0,
      pgsizeBitmap: BigInt(minPage),
      maxDirtyBitmapSize: DIRTY_BITMAP_SIZE_MAX,
    }),
    dmaAvailCapability.encode({ avail: available }),
    ...(ranges ? [iovaRanges(ranges)] : []),
  ]);
  const { chain } = layout;
  if (chain.length > 0 && copyOut(argument, chain, vfioIommuType1Info.size) < 0) return -EFAULT;
  return copyStructOut(
    argument,
    vfioIommuType1Info,
    {
      argsz: layout.argsz,
      flags: VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS,
      iovaPgsizes: pageSizes,
      capOffset: layout.capOffset,
    },
    info.argsz,
  );
}

/** The capability that says where mappings can lie. */
export function iovaRanges(ranges: Iterable<AddressRange>): InfoCapability {
  return iovaRangeCapability.encode(
    [...ranges].map((range) => ({ start: BigInt(range.start), end: lastOf(range) })),
  );
}
