import { type StructOf, s32, struct, u32, u64 } from './struct.js';

/** VFIO_DEVICE_FEATURE_MIGRATION: how much of the state machine the device has. */
export const vfioDeviceFeatureMigration = struct('vfio_device_feature_migration', { flags: u64 });
export type VfioDeviceFeatureMigration = StructOf<typeof vfioDeviceFeatureMigration>;

/** The device can be saved and loaded while it is stopped; every device that migrates has it. */
export const VFIO_MIGRATION_STOP_COPY = 0x1;
/** It can be kept from reaching its peers while it runs. */
export const VFIO_MIGRATION_P2P = 0x2;
/** It can be saved while it runs. */
export const VFIO_MIGRATION_PRE_COPY = 0x4;

/** VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE */
export const vfioDeviceFeatureMigState = struct('vfio_device_feature_mig_state', {
  deviceState: u32,
  /** The data file that the new state comes with, -1 for none. */
  dataFd: s32,
});
export type VfioDeviceFeatureMigState = StructOf<typeof vfioDeviceFeatureMigState>;

export const VFIO_DEVICE_STATE_ERROR = 0;
export const VFIO_DEVICE_STATE_STOP = 1;
export const VFIO_DEVICE_STATE_RUNNING = 2;
export const VFIO_DEVICE_STATE_STOP_COPY = 3;
export const VFIO_DEVICE_STATE_RESUMING = 4;
export const VFIO_DEVICE_STATE_RUNNING_P2P = 5;
export const VFIO_DEVICE_STATE_PRE_COPY = 6;
export const VFIO_DEVICE_STATE_PRE_COPY_P2P = 7;

/** The states of a migrating device, each at its number (enum vfio_device_mig_state). */
export const MIGRATION_STATES = [
  'ERROR',
  'STOP',
  'RUNNING',
  'STOP_COPY',
  'RESUMING',
  'RUNNING_P2P',
  'PRE_COPY',
  'PRE_COPY_P2P',
] as const;

/** A state of a migrating device, by name. */
export type MigrationState = (typeof MIGRATION_STATES)[number];

/** The state behind a number; `undefined` if there is none. */
export function migrationState(number: number): MigrationState | undefined {
  return MIGRATION_STATES[number];
}

/** A state's number, VFIO_DEVICE_STATE_*. */
export function migrationStateNumber(state: MigrationState): number {
  return MIGRATION_STATES.indexOf(state);
}

/** VFIO_DEVICE_FEATURE_MIG_DATA_SIZE */
export const vfioDeviceFeatureMigDataSize = struct('vfio_device_feature_mig_data_size', {
  /** Bytes that a STOP_COPY transfer is estimated to take. */
  stopCopyLength: u64,
});
export type VfioDeviceFeatureMigDataSize = StructOf<typeof vfioDeviceFeatureMigDataSize>;

/** VFIO_MIG_GET_PRECOPY_INFO, asked of the data file: how much there is to read while the device still runs. */
export const vfioPrecopyInfo = struct('vfio_precopy_info', {
  argsz: u32,
  flags: u32,
  /** Bytes that the other side needs before the device is worth stopping. */
  initialBytes: u64,
  /** Bytes that changed since. */
  dirtyBytes: u64,
});
export type VfioPrecopyInfo = StructOf<typeof vfioPrecopyInfo>;

/** There are new initial bytes. Told only after VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2 was set. */
export const VFIO_PRECOPY_INFO_REINIT = 0x1;

/** The start of a migration region (VFIO_REGION_TYPE_MIGRATION_DEPRECATED), which no kernel shows any more. */
export const vfioDeviceMigrationInfo = struct('vfio_device_migration_info', {
  /** VFIO_DEVICE_STATE_V1_* */
  deviceState: u32,
  reserved: u32,
  pendingBytes: u64,
  dataOffset: u64,
  dataSize: u64,
});
export type VfioDeviceMigrationInfo = StructOf<typeof vfioDeviceMigrationInfo>;
export const VFIO_DEVICE_STATE_V1_STOP = 0x0;
export const VFIO_DEVICE_STATE_V1_RUNNING = 0x1;
export const VFIO_DEVICE_STATE_V1_SAVING = 0x2;
export const VFIO_DEVICE_STATE_V1_RESUMING = 0x4;
