import {
  E2BIG,
  EFAULT,
  EINVAL,
  ENOTTY,
  EOVERFLOW,
  vfioDeviceFeatureDmaLoggingControl,
  vfioDeviceFeatureDmaLoggingRange,
  vfioDeviceFeatureDmaLoggingReport,
} from '@vfiokit/uapi';
import type { IovaRange } from '../extension.js';
import type { OpenDevice } from '../open-device.js';
import type { DeviceFeature, FeatureRequest } from './device-feature.js';

const RANGE_SIZE = vfioDeviceFeatureDmaLoggingRange.size;
const ADDRESS_SPACE = 1n << 64n;
/** The smallest page that a bitmap may be reported in. */
const SMALLEST_PAGE = 4096n;

/** Whether the end of a range is no address; unlike elsewhere one that ends with the space itself counts as well. */
const wraps = (iova: bigint, length: bigint) => iova + length >= ADDRESS_SPACE;

const needsLog = ({ core }: OpenDevice) => (core.dirtyLog === undefined ? -ENOTTY : 0);

/** VFIO_DEVICE_FEATURE_DMA_LOGGING_START: which ranges to watch, in pages of about this size. */
export const DMA_LOGGING_START: DeviceFeature = {
  supports: 'set',
  minimum: vfioDeviceFeatureDmaLoggingControl.size,
  available: needsLog,
  run(request) {
    const { device, data } = request;
    const control = vfioDeviceFeatureDmaLoggingControl.decode(data);
    const { pageSize, numRanges: count, ranges: address } = control;
    if (count === 0) return -EINVAL;
    if (count > device.core.kernel.pageSize / RANGE_SIZE) return -E2BIG;
    const ranges = readRanges(request, Number(address), count, pageSize);
    if (typeof ranges === 'number') return ranges;
    const chosen = device.core.dirtyLog!.start(ranges, pageSize);
    if (typeof chosen === 'number') return chosen;
    vfioDeviceFeatureDmaLoggingControl.set(data, 0, { ...control, pageSize: chosen });
    return 0;
  },
};

/** VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP */
export const DMA_LOGGING_STOP: DeviceFeature = {
  supports: 'set',
  minimum: 0,
  available: needsLog,
  run: ({ device }) => device.core.dirtyLog!.stop(),
};

/** VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT: sets the bits of pages that were written; never clears one. */
export const DMA_LOGGING_REPORT: DeviceFeature = {
  supports: 'get',
  minimum: vfioDeviceFeatureDmaLoggingReport.size,
  available: needsLog,
  run({ device, data, caller }) {
    const { iova, length, pageSize, bitmap } = vfioDeviceFeatureDmaLoggingReport.decode(data);
    if (pageSize < SMALLEST_PAGE || (pageSize & (pageSize - 1n)) !== 0n) return -EINVAL;
    if (wraps(iova, length)) return -EOVERFLOW;
    const pages = (length + pageSize - 1n) / pageSize;
    const bytes = Number(((pages + 63n) / 64n) * 8n);
    const bits = caller.memory.read(Number(bitmap), bytes);
    if (bits === undefined) return -EFAULT;
    const error = device.core.dirtyLog!.readAndClear({ iova, length }, (page) => {
      const bit = Number((page - iova) / pageSize);
      bits[bit >>> 3]! |= 1 << (bit & 7);
    });
    if (error < 0) return error;
    return caller.memory.write(Number(bitmap), bits) ? 0 : -EFAULT;
  },
};

function readRanges(
  { caller }: FeatureRequest,
  address: number,
  count: number,
  pageSize: bigint,
): IovaRange[] | number {
  const ranges: IovaRange[] = [];
  const misaligned = (value: bigint) => (pageSize === 0n ? value !== 0n : value % pageSize !== 0n);
  for (let i = 0; i < count; i += 1) {
    const bytes = caller.memory.read(address + i * RANGE_SIZE, RANGE_SIZE);
    if (bytes === undefined) return -EFAULT;
    const { iova, length } = vfioDeviceFeatureDmaLoggingRange.decode(bytes);
    if (misaligned(iova) || misaligned(length)) return -EINVAL;
    if (wraps(iova, length)) return -EOVERFLOW;
    const overlaps = (other: IovaRange) =>
      iova < other.iova + other.length && other.iova < iova + length;
    if (ranges.some(overlaps)) return -EINVAL;
    ranges.push({ iova, length });
  }
  return ranges;
}
