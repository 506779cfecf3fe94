import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type BarDescription, PciFunction } from '../src/index.js';
import { configOf, words } from './helpers.js';

const BAR0 = 0x10;

function functionWith(bars: readonly (BarDescription | undefined)[], rom?: number): PciFunction {
  return new PciFunction({ config: configOf(), bars, ...(rom === undefined ? {} : { rom }) });
}

/** Sizes a BAR as software does: all-ones in, lowest address bit out (PCI 3.0 6.2.5.1). */
function sizeBySoftware(silicon: PciFunction, index: number): number {
  const at = BAR0 + 4 * index;
  const { config } = silicon;
  const before = config.read(at, 4);
  config.write(at, 4, 0xffffffff);
  const low = config.read(at, 4);
  config.write(at, 4, before);
  const isIo = (low & 1) !== 0;
  if (!isIo && (low & 6) === 4) {
    config.write(at + 4, 4, 0xffffffff);
    const high = config.read(at + 4, 4);
    config.write(at + 4, 4, 0);
    const mask = (BigInt(high) << 32n) | BigInt((low & ~15) >>> 0);
    return Number(mask & -mask);
  }
  const mask = (low & (isIo ? ~3 : ~15)) >>> 0;
  return mask === 0 ? 0 : (mask & -mask) >>> 0;
}

describe('base address registers', () => {
  test('show kind, width and prefetchability in their hardwired low bits', () => {
    const silicon = functionWith([
      { size: 0x1000, kind: 'memory' },
      { size: 32, kind: 'io' },
      { size: 0x2000, kind: 'memory', is64Bit: true, prefetchable: true },
    ]);
    const low = [0, 1, 2, 3].map((index) => silicon.config.read(BAR0 + 4 * index, 4));
    expect(low).toEqual([0, 1, 0x0c, 0]);
  });

  test('keep the low bits and take address bits, no smaller ones than their size', () => {
    const silicon = functionWith([{ size: 0x10000, kind: 'memory', prefetchable: true }]);
    silicon.config.write(BAR0, 4, 0xfebc1237);
    expect(silicon.config.read(BAR0, 4)).toBe(0xfebc0008);
    expect(silicon.bars[0]?.address(silicon.config)).toBe(0xfebc0000n);
  });

  test('that are absent read zero after all-ones were written', () => {
    const silicon = functionWith([undefined, { size: 16, kind: 'memory' }]);
    silicon.config.write(BAR0, 4, 0xffffffff);
    expect(silicon.config.read(BAR0, 4)).toBe(0);
  });

  test('of 64 bits put an address above 4 GiB into two registers', () => {
    const silicon = functionWith([{ size: 2 ** 33, kind: 'memory', is64Bit: true }]);
    silicon.config.write(BAR0, 4, 0xffffffff);
    silicon.config.write(BAR0 + 4, 4, 0xffffffff);
    expect(silicon.config.read(BAR0, 4)).toBe(0x4);
    expect(silicon.config.read(BAR0 + 4, 4)).toBe(0xfffffffe);
  });

  test("of a bridge are two, and its ROM's register is elsewhere", () => {
    const bridge = new PciFunction({
      config: configOf({ bytes: [[0x0e, [1]]] }),
      bars: [{ size: 16, kind: 'memory' }],
      rom: 0x1000,
    });
    bridge.config.write(0x38, 4, 0xffffffff);
    bridge.config.write(0x18, 4, 0x00050403);
    expect(bridge.config.read(0x38, 4)).toBe(0xfffff001);
    expect(bridge.config.read(0x18, 4)).toBe(0x00050403);
  });

  test('of a ROM have an enable bit, and at least 2 KiB', () => {
    const silicon = functionWith([], 512);
    silicon.config.write(0x30, 4, 0xffffffff);
    expect(silicon.config.read(0x30, 4)).toBe(0xfffff801);
  });

  test.each<[string, BarDescription]>([
    ['a size that is no power of two', { size: 0x1800, kind: 'memory' }],
    ['less than 16 bytes of memory', { size: 8, kind: 'memory' }],
    ['less than 4 ports', { size: 2, kind: 'io' }],
    ['4 GiB without 64 bits', { size: 2 ** 32, kind: 'memory' }],
    ['64 bits of ports', { size: 16, kind: 'io', is64Bit: true }],
  ])('cannot have %s', (_, bar) => {
    expect(() => functionWith([bar])).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });

  test('of 64 bits need a register after them', () => {
    const bars = [
      ...Array.from({ length: 5 }, () => undefined),
      { size: 16, kind: 'memory', is64Bit: true } as const,
    ];
    expect(() => functionWith(bars)).toThrow('BAR 5');
  });
});

describe('base address registers of a capture', () => {
  test('have the size that a probed write mask shows', () => {
    const config = configOf({ bytes: [[0x10, words(0xfe600004, 0, 0xc001)]] });
    const writeMask = configOf({
      bytes: [
        [0x00, [0, 0, 0, 0]],
        [0x10, words(0xffffc000, 0xffffffff, 0xffffffe0)],
      ],
    });
    const { bars } = new PciFunction({ config, writeMask });
    expect(bars[0]).toMatchObject({ size: 0x4000, kind: 'memory', is64Bit: true });
    expect(bars[1]).toBeUndefined();
    expect(bars[2]).toMatchObject({ size: 32, kind: 'io' });
  });

  test('are guessed no larger than address, page or 32 ports allow without a mask', () => {
    const config = configOf({ bytes: [[0x10, words(0xfe600000, 0xfe610800, 0xc040, 0xc011)]] });
    const { bars } = new PciFunction({ config });
    expect(bars.map((bar) => bar?.size)).toEqual([0x1000, 0x800, 64, 16, undefined, undefined]);
  });
});

describe('laws of base address registers', () => {
  const memory = fc
    .record({
      log: fc.integer({ min: 4, max: 40 }),
      prefetchable: fc.boolean(),
      wide: fc.boolean(),
    })
    .map(
      ({ log, prefetchable, wide }): BarDescription => ({
        size: 2 ** log,
        kind: 'memory',
        prefetchable,
        is64Bit: wide || log > 31,
      }),
    );
  const ports = fc
    .integer({ min: 2, max: 8 })
    .map((log): BarDescription => ({ size: 2 ** log, kind: 'io' }));

  test('software finds the size of every BAR by writing all-ones', () => {
    fc.assert(
      fc.property(fc.oneof(memory, ports), fc.constantFrom(0, 2, 4), (bar, index) => {
        const bars: (BarDescription | undefined)[] = [];
        bars[index] = bar;
        expect(sizeBySoftware(functionWith(bars), index)).toBe(bar.size);
      }),
    );
  });

  test('an aligned address that was written is what the function decodes', () => {
    fc.assert(
      fc.property(memory, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (bar, anything) => {
        const silicon = functionWith([bar]);
        const width = bar.is64Bit ? 64n : 32n;
        const address = anything & (2n ** width - 1n) & ~(BigInt(bar.size) - 1n);
        silicon.config.write(BAR0, 4, Number(address & 0xffffffffn));
        silicon.config.write(BAR0 + 4, 4, Number(address >> 32n));
        expect(silicon.bars[0]?.address(silicon.config)).toBe(address);
      }),
    );
  });
});
