import { describe, expect, test } from 'vitest';
import * as module from '../src/device-feature.js';
import {
  encodeDeviceFeature,
  featureName,
  vfioDeviceFeature,
  vfioDeviceFeatureBusMaster,
  vfioDeviceLowPowerEntryWithWakeup,
} from '../src/index.js';
import { describeConstants, describeLayout, hex } from './layout.js';

describeLayout(vfioDeviceFeature, 8, { argsz: 0, flags: 4 });
describeLayout(vfioDeviceLowPowerEntryWithWakeup, 8, { wakeupEventfd: 0, reserved: 4 });
describeLayout(vfioDeviceFeatureBusMaster, 4, { op: 0 });

describeConstants('device-feature.ts', module, {
  VFIO_DEVICE_FEATURE_MASK: 0xffff,
  VFIO_DEVICE_FEATURE_GET: 0x10000,
  VFIO_DEVICE_FEATURE_SET: 0x20000,
  VFIO_DEVICE_FEATURE_PROBE: 0x40000,
  VFIO_DEVICE_FEATURE_PCI_VF_TOKEN: 0,
  VFIO_DEVICE_FEATURE_MIGRATION: 1,
  VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE: 2,
  VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY: 3,
  VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP: 4,
  VFIO_DEVICE_FEATURE_LOW_POWER_EXIT: 5,
  VFIO_DEVICE_FEATURE_DMA_LOGGING_START: 6,
  VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP: 7,
  VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT: 8,
  VFIO_DEVICE_FEATURE_MIG_DATA_SIZE: 9,
  VFIO_DEVICE_FEATURE_BUS_MASTER: 10,
  VFIO_DEVICE_FEATURE_DMA_BUF: 11,
  VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2: 12,
  VFIO_DEVICE_FEATURE_CLEAR_MASTER: 0,
  VFIO_DEVICE_FEATURE_SET_MASTER: 1,
});

describe('a feature', () => {
  test('has the name of its number', () => {
    const constants = Object.entries(module) as [string, unknown][];
    const names = Array.from({ length: 13 }, (_, feature) => featureName(feature));
    for (const [feature, name] of names.entries())
      expect(constants).toContainEqual([`VFIO_DEVICE_FEATURE_${name}`, feature]);
    expect(featureName(13)).toBe('feature 13');
  });

  test('is called with its number, what to do and its data', () => {
    expect(encodeDeviceFeature(4, 0x20000, hex('05000000 00000000'))).toEqual(
      hex('10000000 04000200 05000000 00000000'),
    );
    expect(encodeDeviceFeature(5, 0x60000)).toEqual(hex('08000000 05000600'));
  });
});
