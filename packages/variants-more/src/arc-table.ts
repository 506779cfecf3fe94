import { type MigrationStream } from '@vfiokit/core';
import { type MigrationState, VfioError } from '@vfiokit/uapi';

/** What each arc of a device takes, as `FROM>TO`. */
export type ArcTable = Readonly<Record<string, () => MigrationStream | undefined>>;

export const NOTHING = () => undefined;

/** Carries an arc out; `EINVAL` for one that the device does not have. */
export function takeArc(
  name: string,
  table: ArcTable,
  from: MigrationState,
  to: MigrationState,
): MigrationStream | undefined {
  const step = table[`${from}>${to}`];
  if (step === undefined) throw new VfioError('EINVAL', `${name}: can't go from ${from} to ${to}`);
  return step();
}
