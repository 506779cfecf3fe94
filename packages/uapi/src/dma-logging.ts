import { type StructOf, struct, u32, u64 } from './struct.js';

/** VFIO_DEVICE_FEATURE_DMA_LOGGING_START */
export const vfioDeviceFeatureDmaLoggingControl = struct(
  'vfio_device_feature_dma_logging_control',
  {
    /** Bytes that a bit stands for; in: wanted, out: chosen by the device. */
    pageSize: u64,
    numRanges: u32,
    reserved: u32,
    /** Address of as many {@link vfioDeviceFeatureDmaLoggingRange}s. */
    ranges: u64,
  },
);
export type VfioDeviceFeatureDmaLoggingControl = StructOf<
  typeof vfioDeviceFeatureDmaLoggingControl
>;

/** IOVAs to watch, in bytes. */
export const vfioDeviceFeatureDmaLoggingRange = struct('vfio_device_feature_dma_logging_range', {
  iova: u64,
  length: u64,
});
export type VfioDeviceFeatureDmaLoggingRange = StructOf<typeof vfioDeviceFeatureDmaLoggingRange>;

/** VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT */
export const vfioDeviceFeatureDmaLoggingReport = struct('vfio_device_feature_dma_logging_report', {
  iova: u64,
  length: u64,
  pageSize: u64,
  /** Address of 64-bit words with a bit for each page from `iova` on; bits are set, never cleared. */
  bitmap: u64,
});
export type VfioDeviceFeatureDmaLoggingReport = StructOf<typeof vfioDeviceFeatureDmaLoggingReport>;
