import { struct, u32, u64 } from '@vfiokit/uapi';

// DMA_MAP, a window of the client's memory: argsz (u32), flags (u32), then these; with a descriptor it starts `offset`
// bytes into the file.
export const DMA_MAP_FLAGS = 4;
export const DMA_MAP_OFFSET = 8;
export const DMA_MAP_ADDRESS = 16;
export const DMA_MAP_BYTES = 24;
export const DMA_MAP_SIZE = 32;

export const DMA_MAP_READABLE = 0x1;
export const DMA_MAP_WRITEABLE = 0x2;
/** The file is to be mapped. */
export const DMA_MAP_MMAP = 0x4;
/** The file is to be read and written. */
export const DMA_MAP_FILE_IO = 0x8;

// DMA_UNMAP: argsz (u32), flags (u32), then these; a bitmap may follow.
export const DMA_UNMAP_FLAGS = 4;
export const DMA_UNMAP_ADDRESS = 8;
export const DMA_UNMAP_BYTES = 16;
export const DMA_UNMAP_SIZE = 24;

/** A {@link dirtyBitmap} follows, and is to be filled. */
export const DMA_UNMAP_GET_DIRTY = 0x1;
/** All windows. */
export const DMA_UNMAP_ALL = 0x2;

/** What precedes the bits of a bitmap of dirty pages. */
export const dirtyBitmap = struct('vfio_user_bitmap', { pageSize: u64, size: u64 });

/** DEVICE_GET_REGION_IO_FDS */
export const regionIoFds = struct('vfio_user_region_io_fds', {
  argsz: u32,
  flags: u32,
  index: u32,
  count: u32,
});

/** REGION_WRITE_MULTI: how many writes follow, each with 8 bytes of data. */
export const writeMulti = struct('vfio_user_write_multi', { count: u64 });
export const WRITE_MULTI_ENTRY = 24;
export const WRITE_MULTI_DATA = 8;

/** DEVICE_FEATURE DMA_LOGGING_START: unlike the kernel's, the ranges follow in line. */
export const dmaLoggingControl = struct('vfio_user_dma_logging_control', {
  pageSize: u64,
  numRanges: u32,
  reserved: u32,
});

/** DEVICE_FEATURE DMA_LOGGING_REPORT: unlike the kernel's, the bitmap follows in line. */
export const dmaLoggingReport = struct('vfio_user_dma_logging_report', {
  iova: u64,
  length: u64,
  pageSize: u64,
});

/** MIG_DATA_READ and MIG_DATA_WRITE, without the data. */
export const migrationData = struct('vfio_user_mig_data', { argsz: u32, size: u32 });
