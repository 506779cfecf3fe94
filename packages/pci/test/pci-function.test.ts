import { describe, expect, test } from 'vitest';
import { MemoryBlock, PciFunction, type ResetKind } from '../src/index.js';
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
