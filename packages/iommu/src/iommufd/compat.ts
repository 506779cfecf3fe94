import {
  copyArgszIn,
  copyOut,
  copyStructOut,
  dmaAvailCapability,
  EFAULT,
  EINVAL,
  ENODEV,
  ENOMEM,
  ENOTTY,
  EOVERFLOW,
  EPERM,
  encodeCapabilities,
  type IoctlArgument,
  type Process,
  VFIO_API_VERSION,
  VFIO_CHECK_EXTENSION,
  VFIO_DMA_CC_IOMMU,
  VFIO_DMA_MAP_FLAG_READ,
  VFIO_DMA_MAP_FLAG_WRITE,
  VFIO_DMA_UNMAP_FLAG_ALL,
  VFIO_GET_API_VERSION,
  VFIO_IOMMU_GET_INFO,
  VFIO_IOMMU_INFO_CAPS,
  VFIO_IOMMU_INFO_PGSIZES,
  VFIO_IOMMU_MAP_DMA,
  VFIO_IOMMU_UNMAP_DMA,
  VFIO_NOIOMMU_IOMMU,
  VFIO_SET_IOMMU,
  VFIO_TYPE1_IOMMU,
  VFIO_TYPE1v2_IOMMU,
  VFIO_UNMAP_ALL,
  vfioIommuType1DmaMap,
  vfioIommuType1DmaUnmap,
  vfioIommuType1Info,
} from '@vfiokit/uapi';
import { ADDRESS_END, exact, isMultiple, wraps } from '../address/address.js';
import { userSizes } from '../address/page-sizes.js';
import { iovaRanges } from '../type1/get-info.js';
import type { IommufdContext } from './context.js';
import { HwptPaging } from './hwpt.js';
import { IoPages } from './io-pages.js';
import type { Ioas, Unmapped } from './ioas.js';

const ACCESS = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;
const INFO_MINIMUM = vfioIommuType1Info.ends.iovaPgsizes;
/** What DMA avail says where there is no limit. */
const UNLIMITED = 0xffffffff;

/**
 * The calls of a VFIO container that /dev/iommu answers itself, on the compat IOAS (vfio_compat.c). VFIO_SET_IOMMU is no
 * precondition of anything.
 */
export function compatIoctl(
  context: IommufdContext,
  command: number,
  argument: IoctlArgument,
  caller: Process,
): number {
  const number = typeof argument === 'number' ? argument : 0;
  switch (command) {
    case VFIO_GET_API_VERSION:
      return VFIO_API_VERSION;
    case VFIO_CHECK_EXTENSION:
      return checkExtension(context, number);
    case VFIO_SET_IOMMU:
      return setIommu(context, number, caller);
    case VFIO_IOMMU_GET_INFO:
      return getInfo(context, argument);
    case VFIO_IOMMU_MAP_DMA:
      return mapDma(context, argument, caller);
    case VFIO_IOMMU_UNMAP_DMA:
      return unmapDma(context, argument);
    default:
      return -ENOTTY;
  }
}

function checkExtension(context: IommufdContext, extension: number): number {
  switch (extension) {
    case VFIO_TYPE1_IOMMU:
    case VFIO_TYPE1v2_IOMMU:
    case VFIO_UNMAP_ALL:
      return context.noiommu ? 0 : 1;
    case VFIO_NOIOMMU_IOMMU:
      // It says that this is built in (CONFIG_VFIO_NOIOMMU), whether or not it is enabled.
      return 1;
    case VFIO_DMA_CC_IOMMU:
      return cacheCoherent(context);
    default:
      return 0;
  }
}

function cacheCoherent({ compatIoas }: IommufdContext): number {
  if (compatIoas === undefined) return -ENODEV;
  for (const domain of compatIoas.domains)
    if (domain instanceof HwptPaging && !domain.enforcesCacheCoherency) return 0;
  return 1;
}

function setIommu(context: IommufdContext, type: number, caller: Process): number {
  if (context.noiommu) {
    if (type !== VFIO_NOIOMMU_IOMMU) return -EINVAL;
    return caller.credentials.sysRawio ? 0 : -EPERM;
  }
  if (type !== VFIO_TYPE1_IOMMU && type !== VFIO_TYPE1v2_IOMMU) return -EINVAL;
  if (context.compatIoas === undefined) return -ENODEV;
  // v1 unmaps parts of what was mapped, which large pages would not allow.
  return type === VFIO_TYPE1_IOMMU ? context.compatIoas.setHugePages(false) : 0;
}

/** What fits of the capabilities is delivered, even if not all of them do; argsz tells how much room all take. */
function getInfo({ compatIoas, pageSize }: IommufdContext, argument: IoctlArgument): number {
  const info = copyArgszIn(argument, vfioIommuType1Info, INFO_MINIMUM);
  if (typeof info === 'number') return info;
  if (compatIoas === undefined) return -ENODEV;
  const fixed = vfioIommuType1Info.size;
  const capabilities = [
    dmaAvailCapability.encode({ avail: UNLIMITED }),
    iovaRanges(compatIoas.policy.usable),
  ];
  const chain = encodeCapabilities(fixed, capabilities);
  const needed = fixed + chain.length;
  let at = 0;
  for (const [index] of capabilities.entries()) {
    const end = encodeCapabilities(fixed, capabilities.slice(0, index + 1)).length;
    if (fixed + end <= info.argsz && copyOut(argument, chain.subarray(at, end), fixed + at) < 0)
      return -EFAULT;
    at = end;
  }
  return copyStructOut(
    argument,
    vfioIommuType1Info,
    {
      argsz: needed,
      flags: VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS,
      iovaPgsizes: userSizes(
        [...compatIoas.domains].map(({ pageSizes }) => pageSizes),
        pageSize,
      ),
      capOffset: info.argsz >= needed ? fixed : 0,
    },
    info.argsz,
  );
}

function mapDma(context: IommufdContext, argument: IoctlArgument, caller: Process): number {
  const map = copyArgszIn(argument, vfioIommuType1DmaMap);
  if (typeof map === 'number') return map;
  const { flags, vaddr, iova, size } = map;
  if (flags & ~ACCESS) return -EINVAL;
  if (flags === 0 && !context.parameters.quirks.compatMapsWithoutAccess) return -EINVAL;
  const ioas = context.compatIoas;
  if (ioas === undefined) return -ENODEV;
  if (wraps(vaddr, size)) return -EOVERFLOW;
  if (size === 0n || !isMultiple(size | iova, ioas.alignment)) return -EINVAL;
  if (wraps(iova, size)) return -EOVERFLOW;
  if (!exact(vaddr) || !exact(iova) || !exact(size)) return -EINVAL;
  if (!context.faults.allocates()) return -ENOMEM;
  const length = Number(size);
  const source = { type: 'user', process: caller, address: Number(vaddr) } as const;
  const writable = (flags & VFIO_DMA_MAP_FLAG_WRITE) !== 0;
  const mode = context.accountMode(caller, 'mm');
  const pages = new IoPages(context, source, length, writable, caller, mode);
  const at = ioas.map({ iova: Number(iova), length, access: flags }, [
    { pages, offset: 0, length },
  ]);
  return Math.min(0, at);
}

/** How much was unmapped is written back even if that ends with an error (vfio_compat.c: iommufd_vfio_unmap_dma). */
function unmapDma(context: IommufdContext, argument: IoctlArgument): number {
  const unmap = copyArgszIn(argument, vfioIommuType1DmaUnmap);
  if (typeof unmap === 'number') return unmap;
  const { flags, iova, size } = unmap;
  if (flags & ~VFIO_DMA_UNMAP_FLAG_ALL) return -EINVAL;
  const ioas = context.compatIoas;
  if (ioas === undefined) return -ENODEV;
  const all = flags === VFIO_DMA_UNMAP_FLAG_ALL;
  if (all && (iova || size)) return -EINVAL;
  const refused = all ? 0 : cutAt(ioas, iova, size);
  if (refused !== 0) return refused;
  const { error, bytes } = all
    ? ioas.unmap(0, ADDRESS_END, partialOf(context))
    : unmapRange(context, ioas, iova, size);
  const done = { size: BigInt.asUintN(64, BigInt(bytes)) };
  return copyStructOut(argument, vfioIommuType1DmaUnmap, done) || error;
}

/** Without large pages areas are cut at the borders of a range, so that they can be unmapped in parts. */
function cutAt(ioas: Ioas, iova: bigint, size: bigint): number {
  if (ioas.hugePages || size === 0n || wraps(iova, size)) return 0;
  return ioas.cut(Number(iova + size)) || ioas.cut(Number(iova));
}

function unmapRange(context: IommufdContext, ioas: Ioas, iova: bigint, size: bigint): Unmapped {
  if (size === 0n) return { error: -EINVAL, bytes: 0 };
  if (wraps(iova, size)) return { error: -EOVERFLOW, bytes: 0 };
  return ioas.unmap(Number(iova), Number(iova + size), partialOf(context));
}

function partialOf({ parameters }: IommufdContext): 'stop' | 'refuse' {
  return parameters.quirks.partialUnmapRemoves ? 'stop' : 'refuse';
}
