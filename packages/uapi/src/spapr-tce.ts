import { type StructOf, struct, u32, u64 } from './struct.js';

/** What windows can be made beside the default one. */
export const vfioIommuSpaprTceDdwInfo = struct('vfio_iommu_spapr_tce_ddw_info', {
  /** A bit for each page size. */
  pgsizes: u64,
  maxDynamicWindowsSupported: u32,
  /** How many levels a table can have. */
  levels: u32,
});
export type VfioIommuSpaprTceDdwInfo = StructOf<typeof vfioIommuSpaprTceDdwInfo>;

/** VFIO_IOMMU_SPAPR_TCE_GET_INFO */
export const vfioIommuSpaprTceInfo = struct('vfio_iommu_spapr_tce_info', {
  argsz: u32,
  flags: u32,
  /** A bus address. */
  dma32WindowStart: u32,
  /** Bytes. */
  dma32WindowSize: u32,
  /** With VFIO_IOMMU_SPAPR_INFO_DDW. */
  ddw: vfioIommuSpaprTceDdwInfo,
});
export type VfioIommuSpaprTceInfo = StructOf<typeof vfioIommuSpaprTceInfo>;
export const VFIO_IOMMU_SPAPR_INFO_DDW = 0x1;

/** VFIO_IOMMU_SPAPR_REGISTER_MEMORY and _UNREGISTER_MEMORY */
export const vfioIommuSpaprRegisterMemory = struct('vfio_iommu_spapr_register_memory', {
  argsz: u32,
  flags: u32,
  vaddr: u64,
  size: u64,
});
export type VfioIommuSpaprRegisterMemory = StructOf<typeof vfioIommuSpaprRegisterMemory>;

/** VFIO_IOMMU_SPAPR_TCE_CREATE */
export const vfioIommuSpaprTceCreate = struct('vfio_iommu_spapr_tce_create', {
  argsz: u32,
  flags: u32,
  pageShift: u32,
  resv1: u32,
  windowSize: u64,
  levels: u32,
  resv2: u32,
  /** Out: the bus address that the platform chose. */
  startAddr: u64,
});
export type VfioIommuSpaprTceCreate = StructOf<typeof vfioIommuSpaprTceCreate>;

/** VFIO_IOMMU_SPAPR_TCE_REMOVE */
export const vfioIommuSpaprTceRemove = struct('vfio_iommu_spapr_tce_remove', {
  argsz: u32,
  flags: u32,
  startAddr: u64,
});
export type VfioIommuSpaprTceRemove = StructOf<typeof vfioIommuSpaprTceRemove>;
