import { type StructOf, s32, struct, u32 } from './struct.js';

/** VFIO_DEVICE_FEATURE, without the feature's data that follows. */
export const vfioDeviceFeature = struct('vfio_device_feature', { argsz: u32, flags: u32 });
export type VfioDeviceFeature = StructOf<typeof vfioDeviceFeature>;

/** Which feature; the bits above say what to do with it. */
export const VFIO_DEVICE_FEATURE_MASK = 0xffff;
export const VFIO_DEVICE_FEATURE_GET = 0x10000;
export const VFIO_DEVICE_FEATURE_SET = 0x20000;
/** Only say whether the rest would be possible. */
export const VFIO_DEVICE_FEATURE_PROBE = 0x40000;

/** Its data are the 16 bytes of a UUID, in the order of its text. */
export const VFIO_DEVICE_FEATURE_PCI_VF_TOKEN = 0;
export const VFIO_DEVICE_FEATURE_MIGRATION = 1;
export const VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE = 2;
export const VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY = 3;
export const VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP = 4;
export const VFIO_DEVICE_FEATURE_LOW_POWER_EXIT = 5;
export const VFIO_DEVICE_FEATURE_DMA_LOGGING_START = 6;
export const VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP = 7;
export const VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT = 8;
export const VFIO_DEVICE_FEATURE_MIG_DATA_SIZE = 9;
export const VFIO_DEVICE_FEATURE_BUS_MASTER = 10;
export const VFIO_DEVICE_FEATURE_DMA_BUF = 11;
export const VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2 = 12;

const NAMES = [
  'PCI_VF_TOKEN',
  'MIGRATION',
  'MIG_DEVICE_STATE',
  'LOW_POWER_ENTRY',
  'LOW_POWER_ENTRY_WITH_WAKEUP',
  'LOW_POWER_EXIT',
  'DMA_LOGGING_START',
  'DMA_LOGGING_STOP',
  'DMA_LOGGING_REPORT',
  'MIG_DATA_SIZE',
  'BUS_MASTER',
  'DMA_BUF',
  'MIG_PRECOPY_INFOv2',
] as const;

/** A feature's name, such as `LOW_POWER_ENTRY`; `feature 99` where it has none here. */
export function featureName(feature: number): string {
  return NAMES[feature] ?? `feature ${feature}`;
}

/** VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP: who is told that the device woke up. */
export const vfioDeviceLowPowerEntryWithWakeup = struct('vfio_device_low_power_entry_with_wakeup', {
  wakeupEventfd: s32,
  reserved: u32,
});
export type VfioDeviceLowPowerEntryWithWakeup = StructOf<typeof vfioDeviceLowPowerEntryWithWakeup>;

/** VFIO_DEVICE_FEATURE_BUS_MASTER; only CDX devices have it, a PCI device has its command register. */
export const vfioDeviceFeatureBusMaster = struct('vfio_device_feature_bus_master', { op: u32 });
export type VfioDeviceFeatureBusMaster = StructOf<typeof vfioDeviceFeatureBusMaster>;
export const VFIO_DEVICE_FEATURE_CLEAR_MASTER = 0;
export const VFIO_DEVICE_FEATURE_SET_MASTER = 1;

/**
 * The argument of VFIO_DEVICE_FEATURE.
 *
 * @param feature its number.
 * @param operation VFIO_DEVICE_FEATURE_GET, _SET and _PROBE.
 */
export function encodeDeviceFeature(
  feature: number,
  operation: number,
  data: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const argsz = vfioDeviceFeature.size + data.length;
  const out = new Uint8Array(argsz);
  vfioDeviceFeature.encode({ argsz, flags: feature | operation }, out);
  out.set(data, vfioDeviceFeature.size);
  return out;
}
