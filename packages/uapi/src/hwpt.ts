import { array, type StructOf, struct, u32, u64 } from './struct.js';

/** IOMMU_HWPT_ALLOC: a hardware page table. Its first version ended with `reserved`. */
export const iommuHwptAlloc = struct('iommu_hwpt_alloc', {
  size: u32,
  flags: u32,
  devId: u32,
  /** An IOAS; for a nested one a HWPT or a vIOMMU. */
  ptId: u32,
  outHwptId: u32,
  reserved: u32,
  dataType: u32,
  /** Bytes. */
  dataLen: u32,
  /** Address of what `dataType` says. */
  dataUptr: u64,
  /** With IOMMU_HWPT_FAULT_ID_VALID. */
  faultId: u32,
  reserved2: u32,
});
export type IommuHwptAlloc = StructOf<typeof iommuHwptAlloc>;

/** Others can be nested on it. */
export const IOMMU_HWPT_ALLOC_NEST_PARENT = 0x1;
/** Only devices whose IOMMU tracks dirty pages can be attached. */
export const IOMMU_HWPT_ALLOC_DIRTY_TRACKING = 0x2;
export const IOMMU_HWPT_FAULT_ID_VALID = 0x4;
/** Can be attached to a PASID. */
export const IOMMU_HWPT_ALLOC_PASID = 0x8;

export const IOMMU_HWPT_DATA_NONE = 0;
export const IOMMU_HWPT_DATA_VTD_S1 = 1;
export const IOMMU_HWPT_DATA_ARM_SMMUV3 = 2;
export const IOMMU_HWPT_DATA_AMD_GUEST = 3;

/** IOMMU_HWPT_DATA_VTD_S1 */
export const iommuHwptVtdS1 = struct('iommu_hwpt_vtd_s1', {
  flags: u64,
  /** Guest physical. */
  pgtblAddr: u64,
  /** Bits. */
  addrWidth: u32,
  reserved: u32,
});
export type IommuHwptVtdS1 = StructOf<typeof iommuHwptVtdS1>;
export const IOMMU_VTD_S1_SRE = 0x1;
export const IOMMU_VTD_S1_EAFE = 0x2;
export const IOMMU_VTD_S1_WPE = 0x4;

/** IOMMU_HWPT_DATA_ARM_SMMUV3: the first half of a stream table entry. */
export const iommuHwptArmSmmuv3 = struct('iommu_hwpt_arm_smmuv3', { ste: array(u64, 2) });
export type IommuHwptArmSmmuv3 = StructOf<typeof iommuHwptArmSmmuv3>;

/** IOMMU_HWPT_DATA_AMD_GUEST: the guest's device table entry. */
export const iommuHwptAmdGuest = struct('iommu_hwpt_amd_guest', { dte: array(u64, 4) });
export type IommuHwptAmdGuest = StructOf<typeof iommuHwptAmdGuest>;

/** IOMMU_HWPT_SET_DIRTY_TRACKING */
export const iommuHwptSetDirtyTracking = struct('iommu_hwpt_set_dirty_tracking', {
  size: u32,
  flags: u32,
  hwptId: u32,
  reserved: u32,
});
export type IommuHwptSetDirtyTracking = StructOf<typeof iommuHwptSetDirtyTracking>;
export const IOMMU_HWPT_DIRTY_TRACKING_ENABLE = 0x1;

/** IOMMU_HWPT_GET_DIRTY_BITMAP */
export const iommuHwptGetDirtyBitmap = struct('iommu_hwpt_get_dirty_bitmap', {
  size: u32,
  hwptId: u32,
  flags: u32,
  reserved: u32,
  iova: u64,
  length: u64,
  /** Bytes that a bit stands for. */
  pageSize: u64,
  /** Address of the bitmap. */
  data: u64,
});
export type IommuHwptGetDirtyBitmap = StructOf<typeof iommuHwptGetDirtyBitmap>;
/** Leave the dirty bits set. */
export const IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR = 0x1;

/** IOMMU_HWPT_INVALIDATE: what the guest changed in its page table. */
export const iommuHwptInvalidate = struct('iommu_hwpt_invalidate', {
  size: u32,
  /** A nested HWPT or a vIOMMU. */
  hwptId: u32,
  /** Address of the entries. */
  dataUptr: u64,
  dataType: u32,
  /** Bytes. */
  entryLen: u32,
  /** In: how many there are. Out: how many were handled. */
  entryNum: u32,
  reserved: u32,
});
export type IommuHwptInvalidate = StructOf<typeof iommuHwptInvalidate>;
export const IOMMU_HWPT_INVALIDATE_DATA_VTD_S1 = 0;
export const IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3 = 1;

/** IOMMU_HWPT_INVALIDATE_DATA_VTD_S1 */
export const iommuHwptVtdS1Invalidate = struct('iommu_hwpt_vtd_s1_invalidate', {
  addr: u64,
  /** Pages of 4 KiB; U64_MAX with address 0 for everything. */
  npages: u64,
  flags: u32,
  reserved: u32,
});
export type IommuHwptVtdS1Invalidate = StructOf<typeof iommuHwptVtdS1Invalidate>;
/** Only the leaf entries. */
export const IOMMU_VTD_INV_FLAGS_LEAF = 0x1;

/** IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3: a command of the SMMU's queue. */
export const iommuViommuArmSmmuv3Invalidate = struct('iommu_viommu_arm_smmuv3_invalidate', {
  cmd: array(u64, 2),
});
export type IommuViommuArmSmmuv3Invalidate = StructOf<typeof iommuViommuArmSmmuv3Invalidate>;
