import {
  copyIn,
  EFAULT,
  EINVAL,
  type IoctlArgument,
  type Process,
  VFIO_DMA_MAP_FLAG_READ,
  VFIO_DMA_MAP_FLAG_VADDR,
  VFIO_DMA_MAP_FLAG_WRITE,
  vfioIommuType1DmaMap,
} from '@vfiokit/uapi';
import { isMultiple, readField64, wraps } from '../address/address.js';
import type { Type1 } from './type1.js';

const ACCESS = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;
const KNOWN = ACCESS | VFIO_DMA_MAP_FLAG_VADDR;
const { size: SIZE, offsets: AT } = vfioIommuType1DmaMap;

/**
 * VFIO_IOMMU_MAP_DMA: `-EOVERFLOW` for ranges that wrap, otherwise as {@link Type1Mappings.map} and `-EINVAL`. Guests
 * with an IOMMU make a call for every buffer, so its fields are read in place.
 */
export function mapDmaIoctl(type1: Type1, argument: IoctlArgument, caller: Process): number {
  const view = copyIn(argument, SIZE);
  if (view === undefined) return -EFAULT;
  if (view.getUint32(AT.argsz, true) < SIZE) return -EINVAL;
  const flags = view.getUint32(AT.flags, true);
  const vaddr = readField64(view, AT.vaddr);
  const iova = readField64(view, AT.iova);
  const size = readField64(view, AT.size);
  if (flags & ~KNOWN || !size) return -EINVAL;
  if (wraps(iova, size) || wraps(vaddr, size)) return type1.wrapped;
  const access = flags & ACCESS;
  const update = (flags & VFIO_DMA_MAP_FLAG_VADDR) !== 0;
  if (update === (access !== 0)) return -EINVAL;
  const { mappings } = type1;
  const { minPage } = mappings;
  if (!isMultiple(size, minPage) || !isMultiple(iova, minPage) || !isMultiple(vaddr, minPage))
    return -EINVAL;
  const request = { iova: Number(iova), size: Number(size), vaddr: Number(vaddr), access };
  return update ? mappings.updateVaddr(request, caller) : mappings.map(request, caller);
}
