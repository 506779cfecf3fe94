import {
  copyArgszIn,
  EFAULT,
  EINVAL,
  ENOTTY,
  type IoctlArgument,
  type Process,
  VFIO_DEVICE_FEATURE_GET,
  VFIO_DEVICE_FEATURE_MASK,
  VFIO_DEVICE_FEATURE_PROBE,
  VFIO_DEVICE_FEATURE_SET,
  vfioDeviceFeature,
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

const HEADER_SIZE = vfioDeviceFeature.size;
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
  const request = copyArgszIn(argument, vfioDeviceFeature);
  if (typeof request === 'number') return request;
  const { argsz, flags } = request;
  const get = (flags & VFIO_DEVICE_FEATURE_GET) !== 0;
  const set = (flags & VFIO_DEVICE_FEATURE_SET) !== 0;
  const probe = (flags & VFIO_DEVICE_FEATURE_PROBE) !== 0;
  if ((flags & ~KNOWN_FLAGS) !== 0) return -EINVAL;
  if (get && set && !probe) return -EINVAL;

  const number = flags & VFIO_DEVICE_FEATURE_MASK;
  const feature = number > device.core.kernel.newestFeature ? undefined : features[number];
  const missing = feature === undefined ? -ENOTTY : (feature.available?.(device) ?? 0);
  if (feature === undefined || missing < 0) return missing;
  if ((get && feature.supports === 'set') || (set && feature.supports === 'get')) return -EINVAL;
  if (probe) return 0;
  if (!get && !set) return -EINVAL;
  if (argsz - HEADER_SIZE < feature.minimum) return -EINVAL;
  const data = dataOf(argument, feature.minimum);
  return data === undefined ? -EFAULT : feature.run({ device, set, data, caller });
}

/** All that the caller has behind the header, if it is at least the feature's minimum. */
function dataOf(argument: IoctlArgument, minimum: number): DataView | undefined {
  if (!(argument instanceof Uint8Array) || argument.length < HEADER_SIZE + minimum)
    return undefined;
  const { buffer, byteOffset, length } = argument;
  return new DataView(buffer, byteOffset + HEADER_SIZE, length - HEADER_SIZE);
}
