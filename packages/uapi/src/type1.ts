import { listCapability, structCapability } from './info-capability.js';
import { type StructOf, struct, u32, u64 } from './struct.js';

/** VFIO_IOMMU_GET_INFO of a type1 container. */
export const vfioIommuType1Info = struct('vfio_iommu_type1_info', {
  argsz: u32,
  flags: u32,
  /** A bit for each page size. */
  iovaPgsizes: u64,
  capOffset: u32,
  pad: u32,
});
export type VfioIommuType1Info = StructOf<typeof vfioIommuType1Info>;
export const VFIO_IOMMU_INFO_PGSIZES = 0x1;
export const VFIO_IOMMU_INFO_CAPS = 0x2;

export const VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE = 1;
export const VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION = 2;
export const VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL = 3;

/** IOVAs that can be mapped, both ends included. */
export const vfioIovaRange = struct('vfio_iova_range', { start: u64, end: u64 });
export type VfioIovaRange = StructOf<typeof vfioIovaRange>;

/** The ranges in which IOVAs can be mapped. */
export const iovaRangeCapability = listCapability(
  VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE,
  1,
  vfioIovaRange,
);

/** What dirty page tracking can do. */
export const type1MigrationCapability = structCapability(
  VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION,
  1,
  struct('vfio_iommu_type1_info_cap_migration', {
    flags: u32,
    pgsizeBitmap: u64,
    /** Bytes. */
    maxDirtyBitmapSize: u64,
  }),
);

/** How many mappings can still be made. */
export const dmaAvailCapability = structCapability(
  VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL,
  1,
  struct('vfio_iommu_type1_info_dma_avail', { avail: u32 }),
);

/** VFIO_IOMMU_MAP_DMA, on type1 and sPAPR alike. */
export const vfioIommuType1DmaMap = struct('vfio_iommu_type1_dma_map', {
  argsz: u32,
  flags: u32,
  vaddr: u64,
  iova: u64,
  size: u64,
});
export type VfioIommuType1DmaMap = StructOf<typeof vfioIommuType1DmaMap>;
/** The device may read. */
export const VFIO_DMA_MAP_FLAG_READ = 0x1;
/** The device may write. */
export const VFIO_DMA_MAP_FLAG_WRITE = 0x2;
/** Only give an existing mapping a new virtual address. */
export const VFIO_DMA_MAP_FLAG_VADDR = 0x4;

/** Where dirty pages are reported. */
export const vfioBitmap = struct('vfio_bitmap', {
  /** Bytes that a bit stands for. */
  pgsize: u64,
  /** Bytes of the bitmap. */
  size: u64,
  /** Its address. */
  data: u64,
});
export type VfioBitmap = StructOf<typeof vfioBitmap>;

/** VFIO_IOMMU_UNMAP_DMA; with VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP a {@link vfioBitmap} follows. */
export const vfioIommuType1DmaUnmap = struct('vfio_iommu_type1_dma_unmap', {
  argsz: u32,
  flags: u32,
  iova: u64,
  /** In: how much to unmap. Out: how much was. */
  size: u64,
});
export type VfioIommuType1DmaUnmap = StructOf<typeof vfioIommuType1DmaUnmap>;
export const VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP = 0x1;
export const VFIO_DMA_UNMAP_FLAG_ALL = 0x2;
/** Only withdraw the virtual addresses. */
export const VFIO_DMA_UNMAP_FLAG_VADDR = 0x4;

/** VFIO_IOMMU_DIRTY_PAGES; with ..._GET_BITMAP a {@link vfioIommuType1DirtyBitmapGet} follows. */
export const vfioIommuType1DirtyBitmap = struct('vfio_iommu_type1_dirty_bitmap', {
  argsz: u32,
  flags: u32,
});
export type VfioIommuType1DirtyBitmap = StructOf<typeof vfioIommuType1DirtyBitmap>;
export const VFIO_IOMMU_DIRTY_PAGES_FLAG_START = 0x1;
export const VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP = 0x2;
export const VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP = 0x4;

/** Which IOVAs are asked about, and where the answer goes. */
export const vfioIommuType1DirtyBitmapGet = struct('vfio_iommu_type1_dirty_bitmap_get', {
  iova: u64,
  size: u64,
  bitmap: vfioBitmap,
});
export type VfioIommuType1DirtyBitmapGet = StructOf<typeof vfioIommuType1DirtyBitmapGet>;
