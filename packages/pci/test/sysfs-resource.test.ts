import { describe, expect, test } from 'vitest';
import { PciTopology, readSysfsResource } from '../src/index.js';
import { configOf, words } from './helpers.js';

const ABSENT = '0x0000000000000000 0x0000000000000000 0x0000000000000000';
const TEXT = [
  '0x00000000fe600000 0x00000000fe61ffff 0x0000000000040200',
  '0x000000000000c000 0x000000000000c01f 0x0000000000040101',
  '0x0000004000000000 0x00000043ffffffff 0x000000000014220c',
  ABSENT,
  ABSENT,
  ABSENT,
  '0x00000000fe700000 0x00000000fe70ffff 0x0000000000046200',
  '',
].join('\n');

describe("sysfs's resource", () => {
  test('gives start, length and kind of each line', () => {
    const resources = readSysfsResource(TEXT, 'x');
    expect(resources).toHaveLength(7);
    expect(resources[0]).toMatchObject({
      start: 0xfe600000n,
      length: 0x20000,
      isMemory: true,
      isIo: false,
    });
    expect(resources[1]).toMatchObject({ length: 32, isIo: true, isMemory: false });
    expect(resources[2]).toMatchObject({ length: 2 ** 34, is64Bit: true, isPrefetchable: true });
    expect(resources[3]).toMatchObject({ start: 0n, length: 0, assigned: false });
  });

  test.each([
    ['0x1 0x2', 'line 1'],
    [`${ABSENT}\nfoo bar baz`, 'line 2'],
    ['0x10 0x5 0x200', 'ends before it starts'],
    [`${ABSENT}\n\n${ABSENT}`, 'line 2'],
  ])('refuses %j', (text, message) => {
    expect(() => readSysfsResource(text, 'x')).toThrow(message);
  });

  test('says how large the BARs and the ROM of a captured function are', () => {
    const config = configOf({
      bytes: [
        [0x10, words(0xfe600000, 0xc001, 0x0000000c, 0x40)],
        [0x30, words(0xfe700000)],
      ],
    });
    const device = new PciTopology().add(
      '0000:00:03.0',
      { config },
      { resources: readSysfsResource(TEXT, 'x') },
    );
    expect(device.function.bars.map((bar) => bar?.size)).toEqual([
      0x20000,
      32,
      2 ** 34,
      undefined,
      undefined,
      undefined,
    ]);
    expect(device.function.romSize).toBe(0x10000);
  });

  test('leaves out the fixed ports of legacy controllers, which no register holds', () => {
    const text = '0x00000000000001f0 0x00000000000001f7 0x0000000000000110';
    const device = new PciTopology().add(
      '0000:00:03.0',
      { config: configOf() },
      { resources: readSysfsResource(text, 'x') },
    );
    expect(device.function.bars[0]).toBeUndefined();
    expect(device.resources[0]).toMatchObject({ start: 0x1f0n, length: 8 });
  });
});
