import { describe, expect, test } from 'vitest';
import { PciTopology } from '../src/index.js';
import { configOf } from './helpers.js';

const GIB4 = 1n << 32n;

/** Where a 64-bit BAR of a function comes to lie. */
function placed(size: number, prefetchable = false): bigint {
  const bars = [{ kind: 'memory', size, is64Bit: true, prefetchable }] as const;
  const device = new PciTopology().add('0000:00:03.0', { config: configOf(), bars });
  return device.resources[0]!.start;
}

describe('a BAR of 64 bits that firmware gave no address', () => {
  test('lies below 4 GiB up to 256 MiB, as not every reader can do more', () => {
    expect([placed(0x1000) < GIB4, placed(0x1000_0000) < GIB4]).toEqual([true, true]);
    expect(placed(0x2000_0000)).toBeGreaterThanOrEqual(GIB4);
  });

  test('lies above 4 GiB if it is prefetchable', () => {
    expect(placed(0x1000, true)).toBeGreaterThanOrEqual(GIB4);
  });

  test('lies at a multiple of its size', () => {
    for (const size of [0x1000, 0x1000_0000, 2 ** 36]) expect(placed(size) % BigInt(size)).toBe(0n);
  });
});

describe('BARs and ROMs of several functions', () => {
  test('come to lie one behind the other, and in the registers', () => {
    const topology = new PciTopology();
    const bars = [
      { kind: 'memory', size: 0x1000 },
      { kind: 'io', size: 0x20 },
    ] as const;
    const [first, second] = ['0000:00:03.0', '0000:00:04.0'].map((name) =>
      topology.add(name, { config: configOf(), bars, rom: 0x800 }),
    );
    const ends = [0, 1, 6].map((index) => {
      const resource = first!.resources[index]!;
      return second!.resources[index]!.start >= resource.start + BigInt(resource.length);
    });
    expect(ends).toEqual([true, true, true]);
    const [memory, ports] = [0, 1].map((bar) => second!.config.read(0x10 + 4 * bar, 4));
    expect(BigInt(memory!)).toBe(second!.resources[0]!.start);
    expect(BigInt(ports! & ~3)).toBe(second!.resources[1]!.start);
  });
});
