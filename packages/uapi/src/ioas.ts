import { type StructOf, s32, struct, u32, u64 } from './struct.js';

/** IOMMU_IOAS_ALLOC */
export const iommuIoasAlloc = struct('iommu_ioas_alloc', { size: u32, flags: u32, outIoasId: u32 });
export type IommuIoasAlloc = StructOf<typeof iommuIoasAlloc>;

/** IOVAs, both ends included. */
export const iommuIovaRange = struct('iommu_iova_range', { start: u64, last: u64 });
export type IommuIovaRange = StructOf<typeof iommuIovaRange>;

/** IOMMU_IOAS_ALLOW_IOVAS: where IOVAs are chosen from, and what has to stay usable. */
export const iommuIoasAllowIovas = struct('iommu_ioas_allow_iovas', {
  size: u32,
  ioasId: u32,
  numIovas: u32,
  reserved: u32,
  /** Address of as many {@link iommuIovaRange}s. */
  allowedIovas: u64,
});
export type IommuIoasAllowIovas = StructOf<typeof iommuIoasAllowIovas>;

/** IOMMU_IOAS_COPY */
export const iommuIoasCopy = struct('iommu_ioas_copy', {
  size: u32,
  flags: u32,
  dstIoasId: u32,
  srcIoasId: u32,
  length: u64,
  /** In with IOMMU_IOAS_MAP_FIXED_IOVA, otherwise out. */
  dstIova: u64,
  srcIova: u64,
});
export type IommuIoasCopy = StructOf<typeof iommuIoasCopy>;

/** IOMMU_IOAS_IOVA_RANGES */
export const iommuIoasIovaRanges = struct('iommu_ioas_iova_ranges', {
  size: u32,
  ioasId: u32,
  /** In: room in the array. Out: how many there are. */
  numIovas: u32,
  reserved: u32,
  /** Address of the array of {@link iommuIovaRange}s. */
  allowedIovas: u64,
  /** Bytes. */
  outIovaAlignment: u64,
});
export type IommuIoasIovaRanges = StructOf<typeof iommuIoasIovaRanges>;

/** IOMMU_IOAS_MAP */
export const iommuIoasMap = struct('iommu_ioas_map', {
  size: u32,
  flags: u32,
  ioasId: u32,
  reserved: u32,
  userVa: u64,
  length: u64,
  /** In with IOMMU_IOAS_MAP_FIXED_IOVA, otherwise out. */
  iova: u64,
});
export type IommuIoasMap = StructOf<typeof iommuIoasMap>;

/** IOMMU_IOAS_MAP_FILE */
export const iommuIoasMapFile = struct('iommu_ioas_map_file', {
  size: u32,
  flags: u32,
  ioasId: u32,
  fd: s32,
  /** Bytes from the start of the file. */
  start: u64,
  length: u64,
  /** In with IOMMU_IOAS_MAP_FIXED_IOVA, otherwise out. */
  iova: u64,
});
export type IommuIoasMapFile = StructOf<typeof iommuIoasMapFile>;

// Flags of IOMMU_IOAS_MAP, _MAP_FILE and _COPY
export const IOMMU_IOAS_MAP_FIXED_IOVA = 0x1;
/** The device may write. */
export const IOMMU_IOAS_MAP_WRITEABLE = 0x2;
/** The device may read. */
export const IOMMU_IOAS_MAP_READABLE = 0x4;

/** IOMMU_IOAS_UNMAP; 0 and U64_MAX stand for everything. */
export const iommuIoasUnmap = struct('iommu_ioas_unmap', {
  size: u32,
  ioasId: u32,
  iova: u64,
  /** In: how much to unmap. Out: how much was. */
  length: u64,
});
export type IommuIoasUnmap = StructOf<typeof iommuIoasUnmap>;

/** IOMMU_IOAS_CHANGE_PROCESS: charges locked memory to the caller. */
export const iommuIoasChangeProcess = struct('iommu_ioas_change_process', {
  size: u32,
  reserved: u32,
});
export type IommuIoasChangeProcess = StructOf<typeof iommuIoasChangeProcess>;
