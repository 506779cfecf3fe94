import { describe, expect, test } from 'vitest';
import {
  migrationState,
  migrationStateNumber,
  vfioDeviceFeatureMigDataSize,
  vfioDeviceFeatureMigration,
  vfioDeviceFeatureMigState,
  vfioDeviceMigrationInfo,
  vfioPrecopyInfo,
} from '../src/index.js';
import * as module from '../src/migration.js';
import { describeConstants, describeLayout } from './layout.js';

describeLayout(vfioDeviceFeatureMigration, 8, { flags: 0 });
describeLayout(vfioDeviceFeatureMigState, 8, { deviceState: 0, dataFd: 4 });
describeLayout(vfioDeviceFeatureMigDataSize, 8, { stopCopyLength: 0 });
describeLayout(vfioPrecopyInfo, 24, { argsz: 0, flags: 4, initialBytes: 8, dirtyBytes: 16 });
describeLayout(vfioDeviceMigrationInfo, 32, {
  deviceState: 0,
  reserved: 4,
  pendingBytes: 8,
  dataOffset: 16,
  dataSize: 24,
});

describeConstants('migration.ts', module, {
  VFIO_MIGRATION_STOP_COPY: 1,
  VFIO_MIGRATION_P2P: 2,
  VFIO_MIGRATION_PRE_COPY: 4,
  VFIO_DEVICE_STATE_ERROR: 0,
  VFIO_DEVICE_STATE_STOP: 1,
  VFIO_DEVICE_STATE_RUNNING: 2,
  VFIO_DEVICE_STATE_STOP_COPY: 3,
  VFIO_DEVICE_STATE_RESUMING: 4,
  VFIO_DEVICE_STATE_RUNNING_P2P: 5,
  VFIO_DEVICE_STATE_PRE_COPY: 6,
  VFIO_DEVICE_STATE_PRE_COPY_P2P: 7,
  VFIO_PRECOPY_INFO_REINIT: 1,
  VFIO_DEVICE_STATE_V1_STOP: 0,
  VFIO_DEVICE_STATE_V1_RUNNING: 1,
  VFIO_DEVICE_STATE_V1_SAVING: 2,
  VFIO_DEVICE_STATE_V1_RESUMING: 4,
});

describe('a migration state', () => {
  test.each([
    ['ERROR', 0],
    ['STOP', 1],
    ['RUNNING', 2],
    ['STOP_COPY', 3],
    ['RESUMING', 4],
    ['RUNNING_P2P', 5],
    ['PRE_COPY', 6],
    ['PRE_COPY_P2P', 7],
  ] as const)('%s has the number %i', (state, number) => {
    expect(migrationStateNumber(state)).toBe(number);
    expect(migrationState(number)).toBe(state);
  });

  test('has no number beyond', () => {
    expect(migrationState(8)).toBeUndefined();
    expect(migrationState(-1)).toBeUndefined();
  });
});
