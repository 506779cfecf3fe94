import { vfioDeviceFeatureDmaBuf, vfioRegionDmaRange } from '../src/index.js';
import { describeLayout } from './layout.js';

describeLayout(vfioDeviceFeatureDmaBuf, 16, {
  regionIndex: 0,
  openFlags: 4,
  flags: 8,
  nrRanges: 12,
});
describeLayout(vfioRegionDmaRange, 16, { offset: 0, length: 8 });
