import { expect, test } from 'vitest';
import { vfioDeviceIoeventfd } from '../src/index.js';
import * as module from '../src/ioeventfd.js';
import { describeConstants, describeLayout } from './layout.js';

describeLayout(vfioDeviceIoeventfd, 32, {
  argsz: 0,
  flags: 4,
  offset: 8,
  data: 16,
  fd: 24,
  reserved: 28,
});

describeConstants('ioeventfd.ts', module, {
  VFIO_DEVICE_IOEVENTFD_8: 1,
  VFIO_DEVICE_IOEVENTFD_16: 2,
  VFIO_DEVICE_IOEVENTFD_32: 4,
  VFIO_DEVICE_IOEVENTFD_64: 8,
  VFIO_DEVICE_IOEVENTFD_SIZE_MASK: 15,
});

test('the minimum of VFIO_DEVICE_IOEVENTFD is 28 bytes, up to the descriptor', () => {
  expect(vfioDeviceIoeventfd.ends.fd).toBe(28);
});
