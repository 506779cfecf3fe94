import { EINVAL, vfioDeviceLowPowerEntryWithWakeup } from '@vfiokit/uapi';
import type { DeviceFeature } from './device-feature.js';

/** VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY */
export const LOW_POWER_ENTRY: DeviceFeature = {
  supports: 'set',
  minimum: 0,
  run: ({ device }) => device.lowPower.enter(),
};

/** VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP: the first access that finds the device asleep signals the eventfd. */
export const LOW_POWER_ENTRY_WITH_WAKEUP: DeviceFeature = {
  supports: 'set',
  minimum: vfioDeviceLowPowerEntryWithWakeup.size,
  run({ device, data, caller }) {
    const { wakeupEventfd: fd } = vfioDeviceLowPowerEntryWithWakeup.decode(data);
    if (fd < 0) return -EINVAL;
    const wakeup = caller.fds.eventFd(fd);
    return typeof wakeup === 'number' ? wakeup : device.lowPower.enter(wakeup);
  },
};

/** VFIO_DEVICE_FEATURE_LOW_POWER_EXIT */
export const LOW_POWER_EXIT: DeviceFeature = {
  supports: 'set',
  minimum: 0,
  run({ device }) {
    device.lowPower.exit();
    return 0;
  },
};
