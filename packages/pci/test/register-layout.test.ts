import { describe, expect, test } from 'vitest';
import { PciFunction } from '../src/index.js';
import { configOf, EXPRESS, MSI, MSIX, PM, VPD, words } from './helpers.js';

/** Which bits of a dword read 1 after all-ones and 0 after zeroes were written. */
function writable(silicon: PciFunction, at: number): number {
  const { config } = silicon;
  const before = config.peek32(at);
  config.write(at, 4, 0xffffffff);
  const ones = config.peek32(at);
  config.write(at, 4, 0);
  const zeroes = config.peek32(at);
  config.poke32(at, before);
  return (ones & ~zeroes) >>> 0;
}

/** Which of some set bits writing 1 clears. */
function cleared(silicon: PciFunction, at: number): number {
  const { config } = silicon;
  const before = config.peek32(at);
  config.poke32(at, 0xffffffff);
  config.write(at, 4, 0xffffffff);
  const left = config.peek32(at);
  config.poke32(at, before);
  return ~left >>> 0;
}

describe('registers without a probed write mask', () => {
  test('COMMAND takes IO, MEMORY, MASTER, PARITY, SERR and INTX_DISABLE, of a conventional function INVALIDATE too', () => {
    const conventional = new PciFunction({ config: configOf() });
    const express = new PciFunction({ config: configOf({ capabilities: [EXPRESS] }) });
    expect(writable(conventional, 0x04)).toBe(0x0557);
    expect(writable(express, 0x04)).toBe(0x0547);
  });

  test('the error bits of STATUS are cleared by writing 1', () => {
    expect(cleared(new PciFunction({ config: configOf() }), 0x04) >>> 16).toBe(0xf900);
  });

  test('cache line size and interrupt line are storage; ids, class and pin are not', () => {
    const silicon = new PciFunction({ config: configOf({ capabilities: [EXPRESS] }) });
    expect([0x00, 0x08, 0x0c, 0x2c, 0x3c].map((at) => writable(silicon, at))).toEqual([
      0, 0, 0xff, 0, 0xff,
    ]);
  });

  test('a VF has nothing but bus mastering', () => {
    const silicon = new PciFunction({ config: configOf({ bytes: [[0x00, words(-1)]] }) });
    expect([0x04, 0x0c, 0x10, 0x3c].map((at) => writable(silicon, at))).toEqual([0x0004, 0, 0, 0]);
  });

  test("a VF's Device Control is its PF's, only errors and FLR are its own", () => {
    const config = configOf({ capabilities: [EXPRESS], bytes: [[0x00, words(-1)]] });
    const resets: string[] = [];
    const silicon = new PciFunction({ config, onReset: (kind) => resets.push(kind) });
    expect([0x98, 0xa0, 0xb8].map((at) => writable(silicon, at))).toEqual([0, 0, 0]);
    expect([...silicon.config.write1ToClear.subarray(0x98, 0x9c)]).toEqual([0, 0, 0x0f, 0]);
    resets.length = 0;
    silicon.config.write(0x98, 2, 0x8000);
    expect(resets).toEqual(['flr']);
  });

  test('a bridge has bus numbers, windows and bridge control', () => {
    const bridge = new PciFunction({
      config: configOf({ capabilities: [EXPRESS], bytes: [[0x0e, [1]]] }),
    });
    expect([0x18, 0x1c, 0x20, 0x24, 0x28].map((at) => writable(bridge, at))).toEqual([
      0x00ffffff, 0xf0f0, 0xfff0fff0, 0xfff0fff0, 0xffffffff,
    ]);
  });

  test('PMCSR takes the state, and PME enable with a status that 1 clears if the function can signal PME', () => {
    const pme = new PciFunction({ config: configOf({ capabilities: [PM] }) });
    const mute = new PciFunction({ config: configOf({ capabilities: [{ ...PM, body: [3, 0] }] }) });
    expect(pme.config.writeMask.slice(0x44, 0x46)).toEqual(Uint8Array.of(0x03, 0x01));
    expect(cleared(pme, 0x44) & 0xffff).toBe(0x8000);
    expect(mute.config.writeMask.slice(0x44, 0x46)).toEqual(Uint8Array.of(0x03, 0x00));
  });

  test('MSI has address, data and a mask bit a vector, where it says so', () => {
    const wide = new PciFunction({ config: configOf({ capabilities: [MSI] }) });
    expect([0x54, 0x58, 0x5c, 0x60, 0x64].map((at) => writable(wide, at))).toEqual([
      0xfffffffc, 0xffffffff, 0xffff, 0xf, 0,
    ]);
    const narrow = new PciFunction({
      config: configOf({ capabilities: [{ ...MSI, body: [0x04, 0] }] }),
    });
    expect([0x54, 0x58, 0x5c].map((at) => writable(narrow, at))).toEqual([0xfffffffc, 0xffff, 0]);
  });

  test('MSI-X takes enable and function mask', () => {
    const silicon = new PciFunction({ config: configOf({ capabilities: [MSIX] }) });
    expect([0x70, 0x74, 0x78].map((at) => writable(silicon, at))).toEqual([0xc0000000, 0, 0]);
  });

  test('Device Control offers what Device Capabilities promise', () => {
    const body = (devcap: number) => [0x02, 0x00, ...words(devcap)];
    const plain = new PciFunction({
      config: configOf({ capabilities: [{ ...EXPRESS, body: body(0) }] }),
    });
    const tags = new PciFunction({
      config: configOf({ capabilities: [{ ...EXPRESS, body: body(0x38) }] }),
    });
    expect(writable(plain, 0x98)).toBe(0x7cff);
    expect(writable(tags, 0x98)).toBe(0x7fff);
    expect(cleared(plain, 0x98) >>> 16).toBe(0x000f);
  });

  test('a root port has Root Control and Root Status', () => {
    const silicon = new PciFunction({
      config: configOf({ capabilities: [{ ...EXPRESS, body: [0x42, 0x00] }] }),
    });
    expect([writable(silicon, 0xac), cleared(silicon, 0xb0)]).toEqual([0x1f, 0x10000]);
    const endpoint = new PciFunction({ config: configOf({ capabilities: [EXPRESS] }) });
    expect(writable(endpoint, 0xac)).toBe(0);
  });

  test('a root complex integrated endpoint has no link to control', () => {
    const silicon = new PciFunction({
      config: configOf({ capabilities: [{ ...EXPRESS, body: [0x92, 0x00] }] }),
    });
    expect(writable(silicon, 0xa0)).toBe(0);
  });

  test('AER statuses are cleared by 1, masks and severities are storage', () => {
    const config = configOf({ capabilities: [EXPRESS], extended: [{ at: 0x100, id: 1 }] });
    const silicon = new PciFunction({ config });
    expect([0x104, 0x110].map((at) => cleared(silicon, at))).toEqual([0x03fff030, 0xf1c1]);
    expect([0x108, 0x10c, 0x114].map((at) => writable(silicon, at))).toEqual([
      0x03fff030, 0x03fff030, 0xf1c1,
    ]);
  });

  test('ACS control takes what ACS capability has', () => {
    const config = configOf({ extended: [{ at: 0x100, id: 0x0d, body: [0x15, 0] }] });
    expect(writable(new PciFunction({ config }), 0x104)).toBe(0x00150000);
  });

  test('VPD address and data are storage', () => {
    const silicon = new PciFunction({ config: configOf({ capabilities: [VPD] }) });
    expect(silicon.config.writeMask.slice(0xe0, 0xe8)).toEqual(
      Uint8Array.of(0, 0, 255, 255, 255, 255, 255, 255),
    );
  });

  test('what no known capability owns is read-only', () => {
    const silicon = new PciFunction({
      config: configOf({ capabilities: [{ at: 0x40, id: 9, body: [16] }] }),
    });
    expect([0x40, 0x44, 0x80].map((at) => writable(silicon, at))).toEqual([0, 0, 0]);
  });
});

describe('registers with a probed write mask', () => {
  const mask = (bytes: readonly (readonly [at: number, bytes: readonly number[]])[]) => {
    const writeMask = new Uint8Array(256);
    for (const [at, values] of bytes) writeMask.set(values, at);
    return writeMask;
  };

  test('follow the mask, whatever the specification says', () => {
    const config = configOf({ capabilities: [EXPRESS] });
    const silicon = new PciFunction({
      config,
      writeMask: mask([
        [0x04, [0x07, 0x05]],
        [0xc0, [0xff]],
      ]),
    });
    expect([0x04, 0x98, 0xc0].map((at) => writable(silicon, at))).toEqual([0x0507, 0, 0xff]);
  });

  test('keep the bits that a prober has to leave alone', () => {
    const config = configOf({ capabilities: [PM, MSI, MSIX] });
    const silicon = new PciFunction({ config, writeMask: mask([]) });
    expect(
      [0x44, 0x50, 0x70].map(
        (at) => silicon.config.writeMask[at + 3]! * 256 + silicon.config.writeMask[at + 2]!,
      ),
    ).toEqual([0, 1, 0xc000]);
    expect(silicon.config.writeMask[0x44]).toBe(3);
  });

  test('give up those that are hardwired', () => {
    const config = configOf({ capabilities: [PM] });
    const hardwired = mask([[0x44, [3]]]);
    const silicon = new PciFunction({ config, writeMask: mask([]), hardwired });
    silicon.config.write(0x44, 2, 3);
    expect(silicon.powerState).toBe(0);
  });
});

describe('a capability at the very end of configuration space', () => {
  const AER = 0xfe4;
  const ACS = 0x00d;

  test('is looked at up to its last dword', () => {
    const config = configOf({
      capabilities: [EXPRESS],
      extended: [
        { at: 0x100, id: 0x03 },
        { at: AER, id: 0x01 },
      ],
      bytes: [[0xffc, [0xa0, 0, 0, 0]]],
    });
    expect(writable(new PciFunction({ config }), 0xffc)).toBe(0x140);
  });

  test('has what lies behind it read as zero', () => {
    const config = configOf({
      capabilities: [EXPRESS],
      extended: [
        { at: 0x100, id: 0x03 },
        { at: 0xffc, id: ACS },
      ],
    });
    expect(writable(new PciFunction({ config }), 0xffc)).toBe(0);
  });
});
