import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PciTopology, walkCapabilities, walkExtendedCapabilities } from '../src/index.js';
import { configOf, EXPRESS, FULL, MSI, PM, words } from './helpers.js';

describe('walk of standard capabilities', () => {
  test('finds them in the order of the list, with their names', () => {
    const { capabilities, problems } = walkCapabilities(FULL);
    expect(capabilities.map(({ at, id, name }) => [at, id, name])).toEqual([
      [0x40, 0x01, 'Power Management'],
      [0x50, 0x05, 'MSI'],
      [0x70, 0x11, 'MSI-X'],
      [0x90, 0x10, 'PCI Express'],
      [0xd0, 0x13, 'Advanced Features'],
      [0xe0, 0x03, 'VPD'],
    ]);
    expect(problems).toEqual([]);
  });

  test('finds nothing while STATUS denies a list', () => {
    const config = configOf({ capabilities: [PM], bytes: [[0x06, [0]]] });
    expect(walkCapabilities(config).capabilities).toEqual([]);
  });

  test('begins at 0x14 for a CardBus bridge', () => {
    const config = configOf({
      capabilities: [PM],
      bytes: [
        [0x0e, [2]],
        [0x14, [0x40]],
        [0x34, [0]],
      ],
    });
    expect(walkCapabilities(config).capabilities.map(({ at }) => at)).toEqual([0x40]);
  });

  test('ends at a loop and reports it', () => {
    const config = configOf({ capabilities: [PM, MSI], bytes: [[0x51, [0x40]]] });
    const { capabilities, problems } = walkCapabilities(config);
    expect(capabilities.map(({ at }) => at)).toEqual([0x40, 0x50]);
    expect(problems).toEqual([{ at: 0x40, problem: 'list loops' }]);
  });

  test('ends at a pointer into the header and reports it', () => {
    const config = configOf({ capabilities: [PM], bytes: [[0x41, [0x10]]] });
    expect(walkCapabilities(config).problems).toEqual([
      { at: 0x10, problem: 'pointer leads into the header' },
    ]);
  });

  test('masks an unaligned pointer and reports it', () => {
    const config = configOf({ capabilities: [PM], bytes: [[0x34, [0x43]]] });
    const { capabilities, problems } = walkCapabilities(config);
    expect(capabilities.map(({ at }) => at)).toEqual([0x40]);
    expect(problems).toEqual([{ at: 0x43, problem: 'pointer is not a multiple of 4' }]);
  });

  test('ends where nothing answers and reports it', () => {
    const config = configOf({ capabilities: [PM], bytes: [[0x40, [0xff, 0xff]]] });
    expect(walkCapabilities(config).problems).toEqual([
      { at: 0x40, problem: 'nothing answers here' },
    ]);
  });

  test('reports a capability that begins inside another', () => {
    const config = configOf({ capabilities: [PM, { ...MSI, at: 0x44 }] });
    expect(walkCapabilities(config).problems).toEqual([
      { at: 0x44, problem: 'overlaps the capability at 0x40' },
    ]);
  });

  test('reports a list that goes on where the bytes end', () => {
    const config = configOf({ capabilities: [PM] }).subarray(0, 64);
    expect(walkCapabilities(config).problems).toEqual([
      { at: 0x40, problem: 'configuration space is cut off here' },
    ]);
  });
});

describe('walk of extended capabilities', () => {
  const AER = { at: 0x100, id: 0x0001, version: 2 };
  const DSN = { at: 0x140, id: 0x0003 };

  test('finds them with their versions', () => {
    const config = configOf({ extended: [AER, DSN] });
    const { capabilities } = walkExtendedCapabilities(config);
    expect(capabilities.map(({ at, id, version, name }) => [at, id, version, name])).toEqual([
      [0x100, 1, 2, 'Advanced Error Reporting'],
      [0x140, 3, 1, 'Device Serial Number'],
    ]);
  });

  test('finds nothing in 256 bytes, nor in zeroes or all-ones at 0x100', () => {
    expect(walkExtendedCapabilities(FULL).capabilities).toEqual([]);
    expect(walkExtendedCapabilities(new Uint8Array(4096))).toEqual({
      capabilities: [],
      problems: [],
    });
    const nothing = configOf({ size: 4096, bytes: [[0x100, words(-1)]] });
    expect(walkExtendedCapabilities(nothing).capabilities).toEqual([]);
  });

  test('ends at a loop, at a pointer below 0x100, and where the bytes end', () => {
    const loop = configOf({ extended: [AER, DSN], bytes: [[0x140, words(0x10010003)]] });
    expect(walkExtendedCapabilities(loop).problems[0]?.problem).toBe('list loops');
    const low = configOf({ extended: [AER], bytes: [[0x100, words(0x04020001)]] });
    expect(walkExtendedCapabilities(low).problems[0]?.problem).toBe(
      'pointer leads into the header',
    );
    const cut = configOf({ extended: [AER, DSN] }).subarray(0, 0x120);
    expect(walkExtendedCapabilities(cut).problems[0]?.problem).toBe(
      'configuration space is cut off here',
    );
  });
});

describe('laws of walks', () => {
  const config = fc.oneof(
    fc.uint8Array({ minLength: 0, maxLength: 300 }),
    fc.uint8Array({ minLength: 256, maxLength: 256 }),
    fc.uint8Array({ minLength: 4096, maxLength: 4096 }),
  );

  test('over any bytes they end and never throw, and no place is found twice', () => {
    fc.assert(
      fc.property(config, (bytes) => {
        for (const walk of [walkCapabilities(bytes), walkExtendedCapabilities(bytes)]) {
          const places = walk.capabilities.map(({ at }) => at);
          expect(new Set(places).size).toBe(places.length);
        }
      }),
    );
  });

  test("the host's search finds the first of each kind that the walk finds", () => {
    const chain = fc.shuffledSubarray([PM, MSI, EXPRESS, { at: 0xb0, id: 0x09 }], { minLength: 1 });
    fc.assert(
      fc.property(chain, (capabilities) => {
        const bytes = configOf({ capabilities });
        const device = new PciTopology().add('0000:00:01.0', { config: bytes });
        for (const { id, at } of walkCapabilities(bytes).capabilities)
          expect(device.findCapability(id)).toBe(at);
        expect(device.findCapability(0x42)).toBe(0);
      }),
      { numRuns: 30 },
    );
  });
});
