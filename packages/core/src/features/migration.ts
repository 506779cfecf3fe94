import {
  EINVAL,
  ENOTTY,
  migrationState,
  migrationStateNumber,
  VFIO_MIGRATION_P2P,
  VFIO_MIGRATION_PRE_COPY,
  VFIO_MIGRATION_STOP_COPY,
  vfioDeviceFeatureMigDataSize,
  vfioDeviceFeatureMigration,
  vfioDeviceFeatureMigState,
} from '@vfiokit/uapi';
import type { OpenDevice } from '../open-device.js';
import type { DeviceFeature } from './device-feature.js';

const needsMigration = ({ core }: OpenDevice) => (core.migration === undefined ? -ENOTTY : 0);

/** VFIO_DEVICE_FEATURE_MIGRATION: how much of the state machine there is. */
export const MIGRATION_FLAGS: DeviceFeature = {
  supports: 'get',
  minimum: vfioDeviceFeatureMigration.size,
  available: needsMigration,
  run({ device, data }) {
    const { p2p, preCopy } = device.core.migration!.ops.support;
    const flags =
      VFIO_MIGRATION_STOP_COPY |
      (p2p ? VFIO_MIGRATION_P2P : 0) |
      (preCopy ? VFIO_MIGRATION_PRE_COPY : 0);
    vfioDeviceFeatureMigration.set(data, 0, { flags: BigInt(flags) });
    return 0;
  },
};

/** VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE: asks for the state, or changes it and hands out a data file. */
export const MIG_DEVICE_STATE: DeviceFeature = {
  supports: 'both',
  minimum: vfioDeviceFeatureMigState.size,
  available: needsMigration,
  run({ device, set, data, caller }) {
    const migration = device.core.migration!;
    if (!set) {
      const deviceState = migrationStateNumber(migration.state);
      vfioDeviceFeatureMigState.set(data, 0, { deviceState, dataFd: -1 });
      return 0;
    }
    const { deviceState } = vfioDeviceFeatureMigState.decode(data);
    const target = migrationState(deviceState);
    const result = target === undefined ? -EINVAL : migration.set(target);
    const fd = typeof result === 'object' ? caller.fds.install(result) : -1;
    vfioDeviceFeatureMigState.set(data, 0, { deviceState, dataFd: Math.max(fd, -1) });
    if (typeof result === 'object') return Math.min(fd, 0);
    return result ?? 0;
  },
};

/** VFIO_DEVICE_FEATURE_MIG_DATA_SIZE: about how much a STOP_COPY transfer would move, in any state. */
export const MIG_DATA_SIZE: DeviceFeature = {
  supports: 'get',
  minimum: vfioDeviceFeatureMigDataSize.size,
  available: needsMigration,
  run({ device, data }) {
    const size = device.core.migration!.ops.dataSize();
    if (typeof size === 'number') return size;
    vfioDeviceFeatureMigDataSize.set(data, 0, { stopCopyLength: size });
    return 0;
  },
};

/** VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2: the user understands that initial data may come again. */
export const MIG_PRECOPY_INFO_V2: DeviceFeature = {
  supports: 'set',
  minimum: 0,
  available({ core }) {
    if (core.migration?.ops.support.preCopy) return 0;
    // Its siblings say ENOTTY here (quirk W26).
    return core.quirks.precopyInfoNotTty ? -ENOTTY : -EINVAL;
  },
  run({ device }) {
    device.core.migration!.precopyInfoV2 = true;
    return 0;
  },
};
