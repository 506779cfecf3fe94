import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemoryBlock, PciFunction, PciTopology, type ResetKind } from '../src/index.js';
import { AF, configOf, EXPRESS, FULL, PM } from './helpers.js';

const EIO = -5;

describe('decoding', () => {
  test('memory BARs answer only while MEMORY is set, ports only while IO is', () => {
    const silicon = new PciFunction({
      config: configOf(),
      bars: [
        { size: 4096, kind: 'memory', block: new MemoryBlock(4096) },
        { size: 16, kind: 'io', block: new MemoryBlock(16) },
      ],
    });
    const [memory, ports] = silicon.bars.map((bar) => bar!.decoded);
    memory!.write(0, 4, 1);
    expect([memory!.read(0, 4), ports!.read(0, 1)]).toEqual([0xffffffff, 0xff]);
    silicon.config.write(0x04, 2, 1);
    expect([memory!.read(0, 4), ports!.read(0, 1)]).toEqual([0xffffffff, 0]);
    silicon.config.write(0x04, 2, 2);
    expect([memory!.read(0, 4), ports!.read(0, 1)]).toEqual([0, 0xff]);
  });

  test('plain memory can be had directly only while it answers', () => {
    const silicon = new PciFunction({
      config: configOf(),
      bars: [{ size: 4096, kind: 'memory', block: new MemoryBlock(4096) }],
    });
    expect(silicon.bars[0]!.decoded.memory).toBeUndefined();
    silicon.config.write(0x04, 2, 2);
    expect(silicon.bars[0]!.decoded.memory).toHaveLength(4096);
  });

  test('a BAR without anything behind it is an open bus', () => {
    const silicon = new PciFunction({ config: configOf(), bars: [{ size: 4096, kind: 'memory' }] });
    silicon.config.write(0x04, 2, 2);
    expect(silicon.bars[0]!.decoded.read(8, 4)).toBe(0xffffffff);
  });

  test('8-byte accesses reach a block that has them', () => {
    let stored = 0n;
    const block = {
      read: () => 0,
      write: () => {},
      read64: () => stored,
      write64: (_: number, value: bigint) => {
        stored = value;
      },
    };
    const silicon = new PciFunction({
      config: configOf(),
      bars: [{ size: 4096, kind: 'memory', block }],
    });
    const { decoded } = silicon.bars[0]!;
    decoded.write64?.(0, 5n);
    expect(decoded.read64?.(0)).toBe(0xffff_ffff_ffff_ffffn);
    silicon.config.write(0x04, 2, 2);
    decoded.write64?.(0, 6n);
    expect(decoded.read64?.(0)).toBe(6n);
  });

  test('the ROM answers while MEMORY and its own enable bit are set, and cannot be written', () => {
    const silicon = new PciFunction({ config: configOf(), rom: Uint8Array.of(0x55, 0xaa) });
    expect(silicon.romSize).toBe(2048);
    silicon.config.write(0x04, 2, 2);
    expect(silicon.rom!.read(0, 2)).toBe(0xffff);
    silicon.config.write(0x30, 4, 0xfe000001);
    silicon.rom!.write(0, 2, 0);
    expect(silicon.rom!.read(0, 2)).toBe(0xaa55);
    expect(silicon.rom!.read(2, 2)).toBe(0xffff);
    silicon.config.write(0x04, 2, 0);
    expect(silicon.rom!.read(0, 2)).toBe(0xffff);
  });
});

describe('memory requests', () => {
  test('of a bus master reach the port that the host set', () => {
    const silicon = new PciFunction({ config: configOf() });
    const written: [number | bigint, number[]][] = [];
    silicon.dma = {
      read: (_, into) => {
        into.fill(7);
        return 0;
      },
      write: (iova, from) => {
        written.push([iova, [...from]]);
        return 0;
      },
    };
    silicon.config.write(0x04, 2, 4);
    const into = new Uint8Array(2);
    expect(silicon.readMemory(0x1000, into)).toBe(0);
    expect([...into]).toEqual([7, 7]);
    expect(silicon.writeMemory(2n ** 60n, Uint8Array.of(1))).toBe(0);
    expect(written).toEqual([[2n ** 60n, [1]]]);
  });

  test('fail without bus mastering, without a port and in D3', () => {
    const silicon = new PciFunction({ config: configOf({ capabilities: [PM] }) });
    expect(silicon.readMemory(0, new Uint8Array(1))).toBe(EIO);
    silicon.config.write(0x04, 2, 4);
    expect(silicon.readMemory(0, new Uint8Array(1))).toBe(EIO);
    silicon.dma = { read: () => 0, write: () => 0 };
    silicon.config.write(0x44, 2, 3);
    expect(silicon.writeMemory(0, new Uint8Array(1))).toBe(EIO);
  });
});

describe('resets', () => {
  /** A function that was used: everything writable is something else than at power-on. */
  function used(kinds: ResetKind[] = []): PciFunction {
    const silicon = new PciFunction({
      config: FULL,
      bars: [{ size: 0x4000, kind: 'memory' }],
      onReset: (kind) => kinds.push(kind),
    });
    silicon.config.write(0x04, 2, 0x0507);
    silicon.config.write(0x10, 4, 0xfe000000);
    silicon.config.write(0x3c, 1, 5);
    silicon.config.write(0x52, 2, 0x21);
    silicon.config.write(0x98, 2, 0x5040);
    return silicon;
  }

  test('bring registers back to what they were after power-on', () => {
    const silicon = used();
    silicon.reset('bus');
    const values = [0x04, 0x10, 0x3c, 0x52, 0x98].map((at) => silicon.config.read(at, 2));
    expect(values).toEqual([0, 0, 0x0100, 0x0184, 0x2810]);
    expect(silicon.config.read(0, 4)).toBe(0x56781234);
  });

  test('by the FLR bit of PCI Express leave the payload size alone', () => {
    const kinds: ResetKind[] = [];
    const silicon = used(kinds);
    silicon.config.write(0x98, 2, 0x8000 | silicon.config.read(0x98, 2));
    expect(kinds).toEqual(['flr']);
    expect(silicon.config.read(0x98, 2)).toBe(0x2850);
    expect(silicon.config.read(0x04, 2)).toBe(0);
  });

  test('by the FLR bit of Advanced Features are the same', () => {
    const kinds: ResetKind[] = [];
    const silicon = used(kinds);
    silicon.config.write(AF.at + 4, 1, 1);
    expect(kinds).toEqual(['flr']);
    expect(silicon.config.read(AF.at + 4, 1)).toBe(0);
  });

  test('do not follow from the FLR bit of a function that does not have it', () => {
    const kinds: ResetKind[] = [];
    const silicon = new PciFunction({
      config: configOf({ capabilities: [{ ...EXPRESS, body: [2, 0] }] }),
      onReset: (kind) => kinds.push(kind),
    });
    silicon.config.write(0x98, 2, 0x8000);
    expect(kinds).toEqual([]);
    expect(silicon.config.read(0x98, 2) & 0x8000).toBe(0);
  });

  test('reach what lies behind the BARs', () => {
    let resets = 0;
    const block = {
      read: () => 0,
      write: () => {},
      reset: () => {
        resets += 1;
      },
    };
    const silicon = new PciFunction({
      config: FULL,
      bars: [{ size: 0x4000, kind: 'memory', block }],
    });
    silicon.reset('flr');
    expect(resets).toBe(1);
  });

  test('end in a recorded image where there is one', () => {
    const flr = new Uint8Array(100).fill(0x11);
    const silicon = new PciFunction({ config: FULL, resets: { flr } });
    silicon.reset('flr');
    expect(silicon.config.read(0x60, 4)).toBe(0x11111111);
    expect(silicon.config.read(0x64, 4)).toBe(0);
    silicon.reset('bus');
    expect(silicon.config.read(0, 2)).toBe(0x1234);
  });

  test('make of the registers what a recording says', () => {
    const bus = (registers: Uint8Array) => registers.fill(0, 0x04, 0x06);
    const silicon = new PciFunction({ config: FULL, resets: { bus } });
    silicon.config.write(0x04, 2, 7);
    silicon.config.write(0x3c, 1, 9);
    silicon.reset('bus');
    expect([silicon.config.read(0x04, 2), silicon.config.read(0x3c, 1)]).toEqual([0, 9]);
  });

  test('bring registers that nobody knows back to what the description shows', () => {
    const writeMask = new Uint8Array(256).fill(0xff, 0xf0);
    const silicon = new PciFunction({ config: configOf({ bytes: [[0xf0, [0x5a]]] }), writeMask });
    silicon.config.write(0xf0, 1, 0);
    silicon.reset('cold');
    expect(silicon.config.read(0xf0, 1)).toBe(0x5a);
  });

  test('of what is behind a bridge follow from its bridge control', () => {
    let resets = 0;
    const bridge = new PciFunction({ config: configOf({ bytes: [[0x0e, [1]]] }) });
    bridge.connect({
      secondaryReset: () => {
        resets += 1;
      },
    });
    bridge.config.write(0x3e, 2, 0x0040);
    bridge.config.write(0x3e, 2, 0x0040);
    bridge.config.write(0x3e, 2, 0x0000);
    expect(resets).toBe(1);
  });
});

describe('capabilities that are cut off', () => {
  test('are bytes without behaviour', () => {
    const config = configOf({ capabilities: [{ at: 0xfc, id: 0x05, body: [0, 0] }] });
    const silicon = new PciFunction({ config });
    expect(silicon.msi).toBeUndefined();
    expect(silicon.raise(0)).toBe(false);
  });
});

describe('laws of functions', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 0, maxLength: 256 }),
    fc.uint8Array({ minLength: 256, maxLength: 256 }),
    // A chain of known capabilities in arbitrary places, which may overlap and be cut off.
    fc
      .uniqueArray(fc.integer({ min: 16, max: 63 }), { minLength: 1, maxLength: 6 })
      .chain((places) =>
        fc
          .tuple(
            fc.array(fc.constantFrom(1, 3, 5, 7, 0x10, 0x11, 0x13), {
              minLength: places.length,
              maxLength: places.length,
            }),
            fc.uint8Array({ minLength: 6, maxLength: 6 }),
          )
          .map(([ids, body]) =>
            configOf({
              capabilities: places.map((place, index) => ({
                at: 4 * place,
                id: ids[index]!,
                body: [...body].slice(0, 254 - 4 * place),
              })),
            }),
          ),
      ),
  );
  const step = fc.oneof(
    fc.record({
      size: fc.constantFrom(1, 2, 4),
      offset: fc.integer({ min: 0, max: 260 }),
      value: fc.integer(),
    }),
    fc.constantFrom<ResetKind>('flr', 'soft', 'bus', 'cold'),
    fc.integer({ min: -1, max: 40 }),
  );

  test('whatever bytes describe a function, it can be made, accessed, reset and made to interrupt', () => {
    fc.assert(
      fc.property(bytes, fc.option(bytes), fc.array(step), (config, writeMask, steps) => {
        const silicon = new PciFunction(writeMask === null ? { config } : { config, writeMask });
        for (const one of steps) {
          if (typeof one === 'number') silicon.raise(one);
          else if (typeof one === 'string') silicon.reset(one);
          else {
            silicon.config.write(one.offset, one.size, one.value);
            const read = silicon.config.read(one.offset, one.size);
            expect(read === -14 || (read >= 0 && read < 2 ** (8 * one.size))).toBe(true);
          }
        }
      }),
    );
  });

  test('whatever bytes describe a function, the host can enumerate and enable it, or says why not', () => {
    fc.assert(
      fc.property(bytes, (config) => {
        const topology = new PciTopology();
        try {
          const device = topology.add('0000:01:00.0', { config });
          device.enable();
          device.saveState();
          device.restoreState();
          device.allocIrqVectors('msi', 4);
          device.vpd.read(0, new Uint8Array(8));
          device.tryResetFunction();
        } catch (error) {
          expect(error).toMatchObject({ name: 'VfioError', code: 'EEXIST' });
        }
      }),
    );
  });
});
