import {
  EFAULT,
  EINVAL,
  ENODEV,
  ENOTTY,
  EOPNOTSUPP,
  vfioDeviceFeatureDmaBuf,
  vfioRegionDmaRange,
} from '@vfiokit/uapi';
import type { IovaRange } from '../extension.js';
import type { DeviceFeature, FeatureRequest } from './device-feature.js';

const HEADER_SIZE = vfioDeviceFeatureDmaBuf.size;
const RANGE_SIZE = vfioRegionDmaRange.size;
const BARS = 6;

/**
 * VFIO_DEVICE_FEATURE_DMA_BUF: lends ranges of a BAR as a dma-buf, whose descriptor is the result
 * (vfio_pci_dmabuf.c: vfio_pci_core_feature_dma_buf).
 */
export const DMA_BUF: DeviceFeature = {
  supports: 'get',
  minimum: HEADER_SIZE,
  available: ({ core, dmaBufProvider }) => {
    if (!core.kernel.dmabuf) return -ENOTTY;
    return dmaBufProvider === undefined ? -EOPNOTSUPP : 0;
  },
  run(request) {
    const { device, data, caller } = request;
    const { regionIndex: region, nrRanges: count, flags } = vfioDeviceFeatureDmaBuf.decode(data);
    if (count === 0 || flags !== 0) return -EINVAL;
    if (region >= BARS || device.barErrors[region]! < 0) return -ENODEV;
    const asked = readRanges(request, count);
    if (typeof asked === 'number') return asked;
    const ranges: IovaRange[] = [];
    for (const { iova, length } of asked) {
      const physical = device.dmaBufProvider!.physicalRanges(region, iova, length);
      if (typeof physical === 'number') return physical;
      ranges.push(...physical);
    }
    if (device.core.goingAway) return -ENODEV;
    const buffer = device.dmaBufs.export(ranges, device.gate.open);
    const fd = caller.fds.install(buffer);
    if (fd < 0) buffer.close();
    return fd;
  },
};

function readRanges({ device, data }: FeatureRequest, count: number): IovaRange[] | number {
  if (data.byteLength < HEADER_SIZE + count * RANGE_SIZE) return -EFAULT;
  const page = BigInt(device.core.kernel.pageSize);
  const ranges: IovaRange[] = [];
  let total = 0n;
  for (let i = 0; i < count; i += 1) {
    const { offset, length } = vfioRegionDmaRange.decode(data, HEADER_SIZE + i * RANGE_SIZE);
    if (length === 0n || offset % page !== 0n || length % page !== 0n) return -EINVAL;
    total += length;
    if (total >= 1n << 63n) return -EINVAL;
    ranges.push({ iova: offset, length });
  }
  return ranges;
}
