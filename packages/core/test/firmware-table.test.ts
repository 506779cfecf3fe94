import { describe, expect, test } from 'vitest';
import { COLUMN, firmwareRecord, firmwareTable, optionalColumn } from '../src/index.js';

const AT = '0000:01:00.0';
const COLUMNS = { fid: COLUMN.natural, vbt: optionalColumn(COLUMN.flag, false) };

const machine = (firmware: Record<string, unknown>) => ({
  name: 'a-machine',
  architecture: 's390x',
  functions: [{ at: AT }],
  firmware,
});

const message = (call: () => unknown): string => {
  try {
    call();
  } catch (error) {
    return `${(error as { code: string }).code} ${(error as Error).message}`;
  }
  return 'nothing';
};

describe('a table of firmware', () => {
  test('says something of functions, with what is left out filled in', () => {
    const table = firmwareTable(machine({ acme: { [AT]: { fid: 16 } } }), 'acme', COLUMNS);
    expect([...table!]).toEqual([[AT, { fid: 16, vbt: false }]]);
    const least = firmwareTable(
      machine({ acme: { [AT]: { fid: 0, vbt: true } } }),
      'acme',
      COLUMNS,
    );
    expect([...least!]).toEqual([[AT, { fid: 0, vbt: true }]]);
  });

  test('need not be there', () => {
    expect(firmwareTable(machine({}), 'acme', COLUMNS)).toBeUndefined();
    expect(firmwareRecord(machine({}), 'acme', COLUMNS)).toBeUndefined();
  });

  test.each([
    [{ '0000:02:00.0': { fid: 1 } }, 'firmware.acme: there is no function 0000:02:00.0'],
    [{ [AT]: { fid: -1 } }, `firmware.acme.${AT}.fid: must be a whole number, 0 or more; it is -1`],
    [{ [AT]: {} }, `firmware.acme.${AT}.fid: must be a whole number, 0 or more; it is missing`],
    [{ [AT]: { fid: 1, fod: 2 } }, `firmware.acme.${AT}: does not know "fod"; it has fid, vbt`],
    [{ [AT]: 7 }, `firmware.acme.${AT}: must be a mapping; it is 7`],
    [[AT], 'firmware.acme: must be a mapping; it is ["0000:01:00.0"]'],
  ])('%j: is refused with its place and what would help', (table, words) => {
    const read = () => firmwareTable(machine({ acme: table }), 'acme', COLUMNS);
    expect(message(read)).toContain(`EINVAL a-machine: ${words}`);
  });

  test('may be a single record', () => {
    expect(firmwareRecord(machine({ acme: { fid: 2, vbt: true } }), 'acme', COLUMNS)).toEqual({
      fid: 2,
      vbt: true,
    });
  });

  test.each([
    ['address', '0x400000000000', 0x400000000000n],
    ['address', 1024, undefined],
    ['size', '96G', 103079215104n],
    ['size', 4096, 4096n],
    ['size', '96 G', undefined],
    ['names', ['a', 'b'], ['a', 'b']],
    ['names', 'a', undefined],
    ['flag', 1, undefined],
    ['natural', 1.5, undefined],
  ] as const)('a column of kind %s reads %j as %s', (kind, text, value) => {
    expect(COLUMN[kind].read(text)).toEqual(value);
  });
});
