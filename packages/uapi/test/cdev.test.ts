import { expect, test } from 'vitest';
import * as module from '../src/cdev.js';
import {
  vfioDeviceAttachIommufdPt,
  vfioDeviceBindIommufd,
  vfioDeviceDetachIommufdPt,
} from '../src/index.js';
import { describeConstants, describeLayout } from './layout.js';

describeLayout(vfioDeviceBindIommufd, 24, {
  argsz: 0,
  flags: 4,
  iommufd: 8,
  outDevid: 12,
  tokenUuidPtr: 16,
});
describeLayout(vfioDeviceAttachIommufdPt, 16, { argsz: 0, flags: 4, ptId: 8, pasid: 12 });
describeLayout(vfioDeviceDetachIommufdPt, 12, { argsz: 0, flags: 4, pasid: 8 });

describeConstants('cdev.ts', module, {
  VFIO_DEVICE_BIND_FLAG_TOKEN: 1,
  VFIO_DEVICE_ATTACH_PASID: 1,
  VFIO_DEVICE_DETACH_PASID: 1,
});

test('the minimum sizes of BIND, ATTACH and DETACH are 16, 12 and 8 bytes', () => {
  expect(vfioDeviceBindIommufd.ends.outDevid).toBe(16);
  expect(vfioDeviceAttachIommufdPt.ends.ptId).toBe(12);
  expect(vfioDeviceDetachIommufdPt.ends.flags).toBe(8);
});
