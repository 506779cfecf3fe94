import {
  EFAULT,
  EINVAL,
  ENOTTY,
  type IoctlArgument,
  type Process,
  VFIO_DEVICE_FEATURE_GET,
  VFIO_DEVICE_FEATURE_MASK,
  VFIO_DEVICE_FEATURE_PROBE,
  VFIO_DEVICE_FEATURE_SET,
} from '@vfiokit/uapi';
import type { OpenDevice } from '../open-device.js';

/** One call of VFIO_DEVICE_FEATURE that passed the common checks. */
export interface FeatureRequest {
  readonly device: OpenDevice;
  readonly set: boolean;
  /** The feature's data behind the header, to read and to write; at least the feature's minimum. */
  readonly data: DataView;
  readonly caller: Process;
}

/** A feature: what may be done with it, and how. */
export interface DeviceFeature {
  readonly supports: 'get' | 'set' | 'both';
  /** Bytes of data that the call has to bring. */
  readonly minimum: number;
  /** 0, or the negated errno of a device that has no such feature; answers a probe too. */
  available?(device: OpenDevice): number;
  run(request: FeatureRequest): number;
}

const HEADER_SIZE = 8;
const KNOWN_FLAGS =
  VFIO_DEVICE_FEATURE_MASK |
  VFIO_DEVICE_FEATURE_GET |
  VFIO_DEVICE_FEATURE_SET |
  VFIO_DEVICE_FEATURE_PROBE;

/** VFIO_DEVICE_FEATURE, from the header to the feature (vfio_main.c: vfio_ioctl_device_feature, vfio.h: vfio_check_feature). */
export function deviceFeature(
  features: readonly (DeviceFeature | undefined)[],
  device: OpenDevice,
  argument: IoctlArgument,
  caller: Process,
): number {
  const bytes = argument instanceof Uint8Array ? argument : undefined;
  if (bytes === undefined || bytes.length < HEADER_SIZE) return -EFAULT;
  const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const argsz = header.getUint32(0, true);
  const flags = header.getUint32(4, true);
  const get = (flags & VFIO_DEVICE_FEATURE_GET) !== 0;
  const set = (flags & VFIO_DEVICE_FEATURE_SET) !== 0;
  const probe = (flags & VFIO_DEVICE_FEATURE_PROBE) !== 0;
  if (argsz < HEADER_SIZE || (flags & ~KNOWN_FLAGS) !== 0) return -EINVAL;
  if (get && set && !probe) return -EINVAL;

  const number = flags & VFIO_DEVICE_FEATURE_MASK;
  const feature = number > device.core.kernel.newestFeature ? undefined : features[number];
  const missing = feature === undefined ? -ENOTTY : (feature.available?.(device) ?? 0);
  if (feature === undefined || missing < 0) return missing;
  if ((get && feature.supports === 'set') || (set && feature.supports === 'get')) return -EINVAL;
  if (probe) return 0;
  if (!get && !set) return -EINVAL;
  if (argsz - HEADER_SIZE < feature.minimum) return -EINVAL;
  if (bytes.length < HEADER_SIZE + feature.minimum) return -EFAULT;
  const data = new DataView(bytes.buffer, bytes.byteOffset + HEADER_SIZE);
  return feature.run({ device, set, data, caller });
}
