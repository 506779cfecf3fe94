import type { VfioFile } from './file.js';
import { type StructOf, struct, u32, u64 } from './struct.js';

/** VFIO_DEVICE_FEATURE_DMA_BUF, without the {@link vfioRegionDmaRange}s that follow. The call returns a descriptor. */
export const vfioDeviceFeatureDmaBuf = struct('vfio_device_feature_dma_buf', {
  regionIndex: u32,
  /** O_CLOEXEC and the access mode of the descriptor. */
  openFlags: u32,
  /** Has to be 0. */
  flags: u32,
  nrRanges: u32,
});
export type VfioDeviceFeatureDmaBuf = StructOf<typeof vfioDeviceFeatureDmaBuf>;

/** A part of the region, in bytes from its start. */
export const vfioRegionDmaRange = struct('vfio_region_dma_range', { offset: u64, length: u64 });
export type VfioRegionDmaRange = StructOf<typeof vfioRegionDmaRange>;

/** The data of VFIO_DEVICE_FEATURE_DMA_BUF. */
export function encodeDmaBuf(
  regionIndex: number,
  ranges: readonly VfioRegionDmaRange[],
): Uint8Array {
  const { size: header } = vfioDeviceFeatureDmaBuf;
  const data = new Uint8Array(header + ranges.length * vfioRegionDmaRange.size);
  vfioDeviceFeatureDmaBuf.encode({ regionIndex, nrRanges: ranges.length }, data);
  for (const [index, range] of ranges.entries())
    vfioRegionDmaRange.encode(range, data, header + index * vfioRegionDmaRange.size);
  return data;
}

/** Bus addresses that a dma-buf stands for. */
export interface DmaBufRange {
  readonly iova: bigint;
  readonly length: bigint;
}

/** Device memory lent to others: the file that VFIO_DEVICE_FEATURE_DMA_BUF returns. */
export interface DmaBufFile extends VfioFile {
  readonly kind: 'dma-buf';
  /** The device's memory is not to be touched for now, or never again. */
  readonly revoked: boolean;
  /** Where the memory is for now; `-ENODEV` while revoked. */
  map(): readonly DmaBufRange[] | number;
}
