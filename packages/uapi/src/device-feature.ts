import { type StructOf, struct, u32 } from './struct.js';

/** VFIO_DEVICE_FEATURE, without the feature's data that follows. */
export const vfioDeviceFeature = struct('vfio_device_feature', { argsz: u32, flags: u32 });
export type VfioDeviceFeature = StructOf<typeof vfioDeviceFeature>;

/** Which feature; the bits above say what to do with it. */
export const VFIO_DEVICE_FEATURE_MASK = 0xffff;
export const VFIO_DEVICE_FEATURE_GET = 0x10000;
export const VFIO_DEVICE_FEATURE_SET = 0x20000;
/** Only say whether the rest would be possible. */
export const VFIO_DEVICE_FEATURE_PROBE = 0x40000;
