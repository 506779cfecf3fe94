import { VfioError } from '@vfiokit/uapi';
import type { MachineFacts } from './variant.js';

/** How a value of a table is read. */
export interface Column<T> {
  /** What it has to be, for messages. */
  readonly what: string;
  /** The value; undefined if it is something else. */
  readonly read: (value: unknown) => T | undefined;
  /** What stands for an absent one; without it there has to be one. */
  readonly absent?: T;
}

export type Columns = Readonly<Record<string, Column<unknown>>>;

/** What a table says in one line. */
export type FirmwareRecord<C extends Columns> = {
  readonly [K in keyof C]: C[K] extends Column<infer T> ? T : never;
};

const UNITS = { '': 0, K: 10, M: 20, G: 30, T: 40 } as const;

/** Columns that tables have. */
export const COLUMN = {
  /** A count or an id. */
  natural: {
    what: 'a whole number, 0 or more',
    read: (value) =>
      Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined,
  } as Column<number>,
  flag: {
    what: 'true or false',
    read: (value) => (typeof value === 'boolean' ? value : undefined),
  } as Column<boolean>,
  /** A physical address; text, as it may be beyond what a number holds. */
  address: {
    what: 'an address such as "0x400000000000", in quotes',
    read: (value) =>
      typeof value === 'string' && /^0x[0-9a-f]{1,16}$/i.test(value) ? BigInt(value) : undefined,
  } as Column<bigint>,
  /** Bytes. */
  size: {
    what: 'a size such as "96G" or "300M"',
    read(value) {
      const [, digits, unit] = /^(\d+)([KMGT]?)$/.exec(`${value}`) ?? [];
      return digits === undefined
        ? undefined
        : BigInt(digits) << BigInt(UNITS[unit as keyof typeof UNITS]);
    },
  } as Column<bigint>,
  names: {
    what: 'a list of names',
    read: (value) =>
      Array.isArray(value) && value.every((name) => typeof name === 'string') ? value : undefined,
  } as Column<readonly string[]>,
} as const;

/** The same column, which may be left out. */
export function optionalColumn<T>(column: Column<T>, absent: T): Column<T> {
  return { ...column, absent };
}

/**
 * A table of a machine's firmware that says something of functions, in its order.
 *
 * @returns undefined if the machine has no such table.
 * @throws VfioError EINVAL for what it can't say: functions that the machine does not have, words that are no columns,
 *   values that are something else.
 */
export function firmwareTable<C extends Columns>(
  machine: MachineFacts,
  name: string,
  columns: C,
): ReadonlyMap<string, FirmwareRecord<C>> | undefined {
  const table = machine.firmware[name];
  if (table === undefined) return undefined;
  const subject = `${machine.name}: firmware.${name}`;
  const known = new Set(machine.functions.map(({ at }) => at));
  return new Map(
    Object.entries(mapping(table, subject)).map(([at, record]) => {
      if (!known.has(at))
        throw new VfioError('EINVAL', `${subject}: there is no function ${at} in the machine`);
      return [at, read(record, `${subject}.${at}`, columns)];
    }),
  );
}

/** A table of one record. @returns undefined if the machine has none. @throws VfioError as {@link firmwareTable}. */
export function firmwareRecord<C extends Columns>(
  machine: MachineFacts,
  name: string,
  columns: C,
): FirmwareRecord<C> | undefined {
  const record = machine.firmware[name];
  return record === undefined
    ? undefined
    : read(record, `${machine.name}: firmware.${name}`, columns);
}

function read<C extends Columns>(record: unknown, subject: string, columns: C): FirmwareRecord<C> {
  const given = mapping(record, subject);
  const names = Object.keys(columns);
  const unknown = Object.keys(given).find((key) => !names.includes(key));
  if (unknown !== undefined)
    throw new VfioError(
      'EINVAL',
      `${subject}: does not know "${unknown}"; it has ${names.join(', ')}`,
    );
  return Object.fromEntries(
    Object.entries(columns).map(([key, { what, read: readValue, absent }]) => {
      const value = given[key] === undefined ? absent : readValue(given[key]);
      if (value === undefined)
        throw new VfioError(
          'EINVAL',
          `${subject}.${key}: must be ${what}; ${given[key] === undefined ? 'it is missing' : `it is ${JSON.stringify(given[key])}`}`,
        );
      return [key, value];
    }),
  ) as FirmwareRecord<C>;
}

function mapping(value: unknown, subject: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new VfioError('EINVAL', `${subject}: must be a mapping; it is ${JSON.stringify(value)}`);
  return value as Readonly<Record<string, unknown>>;
}
