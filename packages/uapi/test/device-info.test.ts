import { describe, expect, test } from 'vitest';
import * as module from '../src/device-info.js';
import {
  decodeDeviceInfo,
  findCapability,
  pciAtomicCompCapability,
  vfioDeviceInfo,
} from '../src/index.js';
import { describeConstants, describeLayout, hex } from './layout.js';

describeLayout(vfioDeviceInfo, 24, {
  argsz: 0,
  flags: 4,
  numRegions: 8,
  numIrqs: 12,
  capOffset: 16,
  pad: 20,
});

describeConstants('device-info.ts', module, {
  VFIO_DEVICE_FLAGS_RESET: 1,
  VFIO_DEVICE_FLAGS_PCI: 2,
  VFIO_DEVICE_FLAGS_PLATFORM: 4,
  VFIO_DEVICE_FLAGS_AMBA: 8,
  VFIO_DEVICE_FLAGS_CCW: 16,
  VFIO_DEVICE_FLAGS_AP: 32,
  VFIO_DEVICE_FLAGS_FSL_MC: 64,
  VFIO_DEVICE_FLAGS_CAPS: 128,
  VFIO_DEVICE_FLAGS_CDX: 256,
  VFIO_DEVICE_API_PCI_STRING: 'vfio-pci',
  VFIO_DEVICE_API_PLATFORM_STRING: 'vfio-platform',
  VFIO_DEVICE_API_AMBA_STRING: 'vfio-amba',
  VFIO_DEVICE_API_CCW_STRING: 'vfio-ccw',
  VFIO_DEVICE_API_AP_STRING: 'vfio-ap',
  VFIO_DEVICE_INFO_CAP_PCI_ATOMIC_COMP: 5,
  VFIO_PCI_ATOMIC_COMP32: 1,
  VFIO_PCI_ATOMIC_COMP64: 2,
  VFIO_PCI_ATOMIC_COMP128: 4,
});

describe('an answer of VFIO_DEVICE_GET_INFO', () => {
  test('recorded from an e1000e: nine regions, five interrupts, no capabilities', () => {
    const answer = hex('40000000 03000000 09000000 05000000 00000000 00000000');
    expect(decodeDeviceInfo(answer)).toEqual({
      flags: 3,
      numRegions: 9,
      numIrqs: 5,
      capabilities: [],
    });
  });

  test('carries the AtomicOps capability behind the 24 bytes', () => {
    const answer = hex(
      '28000000 83000000 09000000 05000000 18000000 00000000' +
        '0500 0100 00000000 03000000 00000000',
    );
    const { capabilities } = decodeDeviceInfo(answer);
    expect(findCapability(capabilities, pciAtomicCompCapability)?.flags).toBe(3);
  });

  test('of a kernel whose structure had 20 bytes is followed from there', () => {
    const answer = hex(
      '24000000 82000000 09000000 05000000 14000000' + '0500 0100 00000000 01000000 00000000',
    );
    const { capabilities } = decodeDeviceInfo(answer);
    expect(findCapability(capabilities, pciAtomicCompCapability)?.flags).toBe(1);
  });

  test('without the CAPS flag has none, whatever cap_offset says', () => {
    const answer = hex('28000000 02000000 09000000 05000000 18000000 00000000 0500 0100 00000000');
    expect(decodeDeviceInfo(answer).capabilities).toEqual([]);
  });
});
