import { expect, test } from 'vitest';
import * as module from '../src/hot-reset.js';
import {
  decodeHotResetInfo,
  encodeHotReset,
  vfioPciDependentDevice,
  vfioPciHotReset,
  vfioPciHotResetInfo,
} from '../src/index.js';
import { describeConstants, describeLayout, hex } from './layout.js';

describeLayout(vfioPciHotResetInfo, 12, { argsz: 0, flags: 4, count: 8 });
describeLayout(vfioPciDependentDevice, 8, { id: 0, segment: 4, bus: 6, devfn: 7 });
describeLayout(vfioPciHotReset, 12, { argsz: 0, flags: 4, count: 8 });

describeConstants('hot-reset.ts', module, {
  VFIO_PCI_HOT_RESET_FLAG_DEV_ID: 1,
  VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED: 2,
  VFIO_PCI_DEVID_OWNED: 0,
  VFIO_PCI_DEVID_NOT_OWNED: 0xffffffff,
});

test('a dependent device recorded from a CXL memory device: group 4 at 0d:00.0', () => {
  expect(vfioPciDependentDevice.decode(hex('04000000 0000 0d 00'))).toEqual({
    id: 4,
    segment: 0,
    bus: 13,
    devfn: 0,
  });
});

test('the argument of VFIO_DEVICE_PCI_HOT_RESET has a descriptor for each group', () => {
  expect(encodeHotReset([30, 31])).toEqual(hex('14000000 00000000 02000000 1e000000 1f000000'));
  expect(encodeHotReset([])).toEqual(hex('0c000000 00000000 00000000'));
});

test('the answer of VFIO_DEVICE_GET_PCI_HOT_RESET_INFO names as many devices as it counts', () => {
  const answer = hex('20000000 01000000 02000000 04000000 0000 0d 00 05000000 0100 0e 01 ffff');
  expect(decodeHotResetInfo(answer)).toEqual({
    flags: 1,
    devices: [
      { id: 4, segment: 0, bus: 13, devfn: 0 },
      { id: 5, segment: 1, bus: 14, devfn: 1 },
    ],
  });
});
