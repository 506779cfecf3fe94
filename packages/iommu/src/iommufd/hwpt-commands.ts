import {
  EFAULT,
  EINVAL,
  ENOENT,
  ENOMEM,
  EOPNOTSUPP,
  EOVERFLOW,
  IOMMU_HW_CAP_DIRTY_TRACKING,
  IOMMU_HW_INFO_FLAG_INPUT_TYPE,
  IOMMU_HWPT_ALLOC_DIRTY_TRACKING,
  IOMMU_HWPT_ALLOC_NEST_PARENT,
  IOMMU_HWPT_ALLOC_PASID,
  IOMMU_HWPT_DATA_NONE,
  IOMMU_HWPT_DATA_VTD_S1,
  IOMMU_HWPT_DIRTY_TRACKING_ENABLE,
  IOMMU_HWPT_FAULT_ID_VALID,
  IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR,
  IOMMU_HWPT_INVALIDATE_DATA_VTD_S1,
  type IommuHwptAlloc,
  iommuHwInfo,
  iommuHwptAlloc,
  iommuHwptGetDirtyBitmap,
  iommuHwptInvalidate,
  iommuHwptSetDirtyTracking,
  iommuHwptVtdS1,
  iommuHwptVtdS1Invalidate,
  type Process,
} from '@vfiokit/uapi';
import { wraps } from '../address/address.js';
import { command } from './command.js';
import type { IommufdContext } from './context.js';
import { reportDirty } from './dirty-report.js';
import { FaultQueue } from './fault-queue.js';
import { type GuestPageTable, type Hwpt, HwptNested, HwptPaging } from './hwpt.js';
import { Ioas } from './ioas.js';
import { IommufdDevice } from './iommufd-device.js';
import { Viommu } from './viommu.js';
import { VtdPageTable } from './vtd-page-table.js';

const PAGING_FLAGS =
  IOMMU_HWPT_ALLOC_NEST_PARENT |
  IOMMU_HWPT_ALLOC_DIRTY_TRACKING |
  IOMMU_HWPT_FAULT_ID_VALID |
  IOMMU_HWPT_ALLOC_PASID;
const NESTED_FLAGS = IOMMU_HWPT_FAULT_ID_VALID | IOMMU_HWPT_ALLOC_PASID;
/** Longest entry and most entries of an invalidation. */
const ENTRY_LEN_MAX = 4096;
const ENTRY_NUM_MAX = 1 << 19;
const VTD_PAGE = 4096;
const ALL_PAGES = (1n << 64n) - 1n;

/** IOMMU_HWPT_ALLOC (hw_pagetable.c: iommufd_hwpt_alloc). */
export const hwptAlloc = command(
  iommuHwptAlloc,
  iommuHwptAlloc.ends.reserved,
  (context, input, caller) => {
    const { reserved, reserved2, dataType, dataLen, devId, ptId, flags, faultId } = input;
    if (reserved !== 0 || reserved2 !== 0) return -EOPNOTSUPP;
    if ((dataType === IOMMU_HWPT_DATA_NONE) !== (dataLen === 0)) return -EINVAL;
    const device = context.find(devId, IommufdDevice);
    if (typeof device === 'number') return device;
    const parent = context.objects.get(ptId);
    const faults =
      flags & IOMMU_HWPT_FAULT_ID_VALID ? context.find(faultId, FaultQueue) : undefined;
    let hwpt: Hwpt | number;
    if (parent instanceof Ioas) hwpt = allocPaging(context, device, parent, input, faults);
    else if (parent instanceof HwptPaging || parent instanceof Viommu)
      hwpt = allocNested(context, device, parent, input, faults, caller);
    else return -EINVAL;
    return typeof hwpt === 'number' ? hwpt : { outHwptId: hwpt.id };
  },
);

function allocPaging(
  context: IommufdContext,
  device: IommufdDevice,
  ioas: Ioas,
  { flags, dataType }: IommuHwptAlloc,
  faults: FaultQueue | undefined | number,
): HwptPaging | number {
  const { iommu } = device;
  const nestParent = (flags & IOMMU_HWPT_ALLOC_NEST_PARENT) !== 0;
  const tracksDirty = (flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING) !== 0;
  const pasid = (flags & IOMMU_HWPT_ALLOC_PASID) !== 0;
  if (flags & ~PAGING_FLAGS || dataType !== IOMMU_HWPT_DATA_NONE) return -EOPNOTSUPP;
  if (flags & IOMMU_HWPT_FAULT_ID_VALID && nestParent) return -EOPNOTSUPP;
  if (tracksDirty && !iommu.dirtyTracking) return -EOPNOTSUPP;
  if (nestParent && iommu.nesting === undefined) return -EOPNOTSUPP;
  if (pasid && iommu.pasidBits === 0) return -EOPNOTSUPP;
  if (typeof faults === 'number') return faults;
  if (!context.faults.allocates()) return -ENOMEM;
  const options = { automatic: false, nestParent, tracksDirty, pasid, faults };
  const hwpt = new HwptPaging(ioas, iommu, options);
  if (faults) faults.users += 1;
  const id = context.objects.add(hwpt);
  const error = id < 0 ? id : ioas.addDomain(hwpt);
  if (error === 0) return hwpt;
  if (id < 0) hwpt.destroy();
  else context.objects.remove(hwpt);
  return error;
}

function allocNested(
  context: IommufdContext,
  device: IommufdDevice,
  owner: HwptPaging | Viommu,
  { flags, dataType, dataLen, dataUptr }: IommuHwptAlloc,
  faults: FaultQueue | undefined | number,
  caller: Process,
): HwptNested | number {
  const { iommu } = device;
  const parent = owner instanceof Viommu ? owner.parent : owner;
  if (flags & ~NESTED_FLAGS || dataType === IOMMU_HWPT_DATA_NONE || iommu.nesting === undefined)
    return -EOPNOTSUPP;
  if (owner instanceof Viommu && owner.iommu.name !== iommu.name) return -EINVAL;
  if (!parent.options.nestParent || parent.iommu.driver !== iommu.driver) return -EINVAL;
  if (typeof faults === 'number') return faults;
  if (dataType !== iommu.nesting) return -EINVAL;
  const table = guestTable(parent, dataType, Number(dataUptr), dataLen, caller);
  if (typeof table === 'number') return table;
  const pasid = (flags & IOMMU_HWPT_ALLOC_PASID) !== 0;
  const hwpt = new HwptNested(parent, iommu, table, pasid, owner, faults);
  if (faults) faults.users += 1;
  const id = context.objects.add(hwpt);
  if (id < 0) hwpt.destroy();
  return id < 0 ? id : hwpt;
}

/** The guest's page table that the data describes. */
function guestTable(
  parent: HwptPaging,
  type: number,
  address: number,
  length: number,
  caller: Process,
): GuestPageTable | number {
  if (type !== IOMMU_HWPT_DATA_VTD_S1) return -EOPNOTSUPP;
  if (length < iommuHwptVtdS1.size) return -EINVAL;
  const bytes = caller.memory.read(address, iommuHwptVtdS1.size);
  if (bytes === undefined) return -EFAULT;
  const { flags, pgtblAddr, addrWidth, reserved } = iommuHwptVtdS1.decode(bytes);
  if (flags >> 3n || reserved !== 0) return -EOPNOTSUPP;
  if ((addrWidth !== 48 && addrWidth !== 57) || pgtblAddr % BigInt(VTD_PAGE)) return -EINVAL;
  return new VtdPageTable(parent, Number(pgtblAddr), addrWidth);
}

/** IOMMU_GET_HW_INFO (device.c: iommufd_get_hw_info). */
export const getHwInfo = command(
  iommuHwInfo,
  iommuHwInfo.offsets.outCapabilities,
  (context, { flags, devId, dataLen, dataUptr, outDataType, reserved }, caller) => {
    if (flags & ~IOMMU_HW_INFO_FLAG_INPUT_TYPE || reserved.some((byte) => byte !== 0))
      return -EOPNOTSUPP;
    if (!(flags & IOMMU_HW_INFO_FLAG_INPUT_TYPE) && outDataType !== 0) return -EOPNOTSUPP;
    const device = context.find(devId, IommufdDevice);
    if (typeof device === 'number') return device;
    const { iommu } = device;
    const info = iommu.info ?? { type: 0, data: new Uint8Array(0) };
    if (outDataType !== 0 && outDataType !== info.type) return -EOPNOTSUPP;
    const buffer = new Uint8Array(dataLen);
    buffer.set(info.data.subarray(0, dataLen));
    if (dataLen > 0 && !caller.memory.write(Number(dataUptr), buffer)) return -EFAULT;
    return {
      dataLen: info.data.length,
      outDataType: info.type,
      outMaxPasidLog2: iommu.pasidBits,
      outCapabilities: BigInt(iommu.dirtyTracking ? IOMMU_HW_CAP_DIRTY_TRACKING : 0),
    };
  },
);

/** IOMMU_HWPT_SET_DIRTY_TRACKING */
export const hwptSetDirtyTracking = command(
  iommuHwptSetDirtyTracking,
  iommuHwptSetDirtyTracking.size,
  (context, { flags, hwptId, reserved }) => {
    if (flags & ~IOMMU_HWPT_DIRTY_TRACKING_ENABLE || reserved !== 0) return -EOPNOTSUPP;
    const hwpt = context.find(hwptId, HwptPaging);
    if (typeof hwpt === 'number') return hwpt;
    if (!hwpt.options.tracksDirty) return -EOPNOTSUPP;
    hwpt.setTracking(flags !== 0);
    return 0;
  },
);

/** IOMMU_HWPT_GET_DIRTY_BITMAP */
export const hwptGetDirtyBitmap = command(
  iommuHwptGetDirtyBitmap,
  iommuHwptGetDirtyBitmap.size,
  (context, { hwptId, flags, reserved, iova, length, pageSize, data }, caller) => {
    if (flags & ~IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR || reserved !== 0) return -EOPNOTSUPP;
    const hwpt = context.find(hwptId, HwptPaging);
    if (typeof hwpt === 'number') return hwpt;
    // The last byte of nothing lies before its first one; only from 0 on that is everything, which no bitmap holds.
    if (length === 0n) return iova === 0n ? -EINVAL : -EOVERFLOW;
    if (wraps(iova, length)) return -EOVERFLOW;
    const granule = BigInt(hwpt.ioas.alignment);
    if ((iova | length) % granule || pageSize === 0n || (iova | length) % pageSize) return -EINVAL;
    if (!hwpt.options.tracksDirty) return -EOPNOTSUPP;
    return reportDirty(
      hwpt,
      {
        start: Number(iova),
        end: Number(iova + length),
        page: Number(pageSize),
        data: Number(data),
        clear: flags === 0,
        strict: !context.parameters.quirks.dirtyReadIgnoresErrors,
      },
      caller,
    );
  },
);

/** IOMMU_HWPT_INVALIDATE: what the guest changed in its page table. Always tells how many entries were handled. */
export const hwptInvalidate = command(
  iommuHwptInvalidate,
  iommuHwptInvalidate.size,
  (context, { hwptId, dataUptr, dataType, entryLen, entryNum, reserved }, caller) => {
    const refused = (result: number) => ({ result, out: { entryNum: 0 } });
    if (reserved !== 0) return refused(-EOPNOTSUPP);
    if (entryNum > 0 && (dataUptr === 0n || entryLen === 0 || entryLen > ENTRY_LEN_MAX))
      return refused(-EINVAL);
    if (entryNum > ENTRY_NUM_MAX) return refused(-EINVAL);
    const target = context.objects.get(hwptId);
    if (target === undefined) return refused(-ENOENT);
    if (target instanceof HwptPaging) return refused(-EINVAL);
    if (target instanceof Viommu) return refused(-EOPNOTSUPP);
    if (!(target instanceof HwptNested)) return refused(-EINVAL);
    if (dataType !== IOMMU_HWPT_INVALIDATE_DATA_VTD_S1) return refused(-EINVAL);
    for (let done = 0; done < entryNum; done += 1) {
      const at = Number(dataUptr) + done * entryLen;
      const result = invalidateVtd(target, at, entryLen, caller);
      if (result !== 0) return { result, out: { entryNum: done } };
    }
    return { entryNum };
  },
);

function invalidateVtd(hwpt: HwptNested, address: number, length: number, caller: Process): number {
  if (length < iommuHwptVtdS1Invalidate.size) return -EINVAL;
  const bytes = caller.memory.read(address, length);
  if (bytes === undefined) return -EFAULT;
  const { addr, npages, flags, reserved } = iommuHwptVtdS1Invalidate.decode(bytes);
  if (flags > 1 || reserved !== 0) return -EOPNOTSUPP;
  if (addr % BigInt(VTD_PAGE) || (npages === ALL_PAGES && addr !== 0n)) return -EINVAL;
  hwpt.invalidate(
    Number(addr),
    npages === ALL_PAGES ? Number.POSITIVE_INFINITY : Number(addr) + Number(npages) * VTD_PAGE,
  );
  return 0;
}
