import { expect, test } from 'vitest';
import { encodeDmaBuf, vfioDeviceFeatureDmaBuf, vfioRegionDmaRange } from '../src/index.js';
import { describeLayout, hex } from './layout.js';

describeLayout(vfioDeviceFeatureDmaBuf, 16, {
  regionIndex: 0,
  openFlags: 4,
  flags: 8,
  nrRanges: 12,
});
describeLayout(vfioRegionDmaRange, 16, { offset: 0, length: 8 });

test('the data of VFIO_DEVICE_FEATURE_DMA_BUF names the region and each of its ranges', () => {
  expect(encodeDmaBuf(2, [{ offset: 0x1000n, length: 0x2000n }])).toEqual(
    hex('02000000 00000000 00000000 01000000 0010000000000000 0020000000000000'),
  );
});
