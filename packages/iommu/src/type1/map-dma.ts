import {
  copyArgszIn,
  EINVAL,
  type IoctlArgument,
  type Process,
  VFIO_DMA_MAP_FLAG_READ,
  VFIO_DMA_MAP_FLAG_VADDR,
  VFIO_DMA_MAP_FLAG_WRITE,
  vfioIommuType1DmaMap,
} from '@vfiokit/uapi';
import { wraps } from '../address/address.js';
import type { Type1 } from './type1.js';

const ACCESS = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;
const KNOWN = ACCESS | VFIO_DMA_MAP_FLAG_VADDR;

/** VFIO_IOMMU_MAP_DMA: `-EOVERFLOW` for ranges that wrap, otherwise as {@link Type1Mappings.map} and `-EINVAL`. */
export function mapDmaIoctl(type1: Type1, argument: IoctlArgument, caller: Process): number {
  const { mappings } = type1;
  const map = copyArgszIn(argument, vfioIommuType1DmaMap);
  if (typeof map === 'number') return map;
  const { flags, iova, vaddr, size } = map;
  if (flags & ~KNOWN || size === 0n) return -EINVAL;
  if (wraps(iova, size) || wraps(vaddr, size)) return type1.wrapped;
  const access = flags & ACCESS;
  const update = (flags & VFIO_DMA_MAP_FLAG_VADDR) !== 0;
  if (update === (access !== 0)) return -EINVAL;
  if ((size | iova | vaddr) & BigInt(mappings.minPage - 1)) return -EINVAL;
  const request = { iova: Number(iova), size: Number(size), vaddr: Number(vaddr), access };
  return update ? mappings.updateVaddr(request, caller) : mappings.map(request, caller);
}
