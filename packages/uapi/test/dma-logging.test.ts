import {
  vfioDeviceFeatureDmaLoggingControl,
  vfioDeviceFeatureDmaLoggingRange,
  vfioDeviceFeatureDmaLoggingReport,
} from '../src/index.js';
import { describeLayout } from './layout.js';

describeLayout(vfioDeviceFeatureDmaLoggingControl, 24, {
  pageSize: 0,
  numRanges: 8,
  reserved: 12,
  ranges: 16,
});
describeLayout(vfioDeviceFeatureDmaLoggingRange, 16, { iova: 0, length: 8 });
describeLayout(vfioDeviceFeatureDmaLoggingReport, 32, {
  iova: 0,
  length: 8,
  pageSize: 16,
  bitmap: 24,
});
