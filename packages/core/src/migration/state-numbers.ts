import type { MigrationState } from '../extension.js';

/** The numbers of migration states on the wire (enum vfio_device_mig_state). */
export const MIGRATION_STATE_NUMBERS: Readonly<Record<MigrationState, number>> = {
  ERROR: 0,
  STOP: 1,
  RUNNING: 2,
  STOP_COPY: 3,
  RESUMING: 4,
  RUNNING_P2P: 5,
  PRE_COPY: 6,
  PRE_COPY_P2P: 7,
};

const NAMES = Object.keys(MIGRATION_STATE_NUMBERS) as MigrationState[];

/** The state behind a number; `undefined` if there is none. */
export function migrationState(number: number): MigrationState | undefined {
  return NAMES[number];
}
