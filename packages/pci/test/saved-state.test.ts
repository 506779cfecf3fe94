import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PciTopology } from '../src/index.js';
import { Analyser, configOf, EXPRESS, FULL, MSI, PM, words } from './helpers.js';

const EINVAL = -22;
const AER = { at: 0x100, id: 0x01 } as const;
const ACS = { at: 0x140, id: 0x0d, body: [0x1f, 0] } as const;
const RICH = configOf({ capabilities: [PM, MSI, EXPRESS], extended: [AER, ACS] });

function traced(config = RICH) {
  const analyser = new Analyser();
  const topology = new PciTopology({ platform: analyser.platform() });
  const device = topology.add('0000:00:03.0', { config, bars: [{ size: 4096, kind: 'memory' }] });
  analyser.take();
  return { analyser, device };
}

describe('saving', () => {
  test('reads 16 dwords of header before anything else', () => {
    const { analyser, device } = traced(FULL);
    device.saveState();
    const header = Array.from({ length: 16 }, (_, i) => `R32@${(4 * i).toString(16)}`).join(' ');
    expect(analyser.take().startsWith(`${header} `)).toBe(true);
  });

  test('reads the control registers that this kind of function has', () => {
    const { analyser, device } = traced();
    device.saveState();
    const read = analyser.take();
    for (const access of ['R16@98', 'R16@a0', 'R16@b8', 'R16@c0', 'R32@108', 'R16@146'])
      expect(read).toContain(access);
    for (const port of ['R16@a8', 'R16@ac', 'R16@c8']) expect(read).not.toContain(port);
  });
});

describe('restoring', () => {
  test('writes BARs before COMMAND, and only what differs', () => {
    const { analyser, device } = traced();
    device.enable();
    device.saveState();
    device.function.config.poke32(0x10, 0);
    device.function.config.poke16(0x04, 0);
    analyser.take();
    device.restoreState();
    const writes = analyser
      .take()
      .split(' ')
      .filter((access) => access.startsWith('W'));
    const header = writes.filter((access) => /^W32@\w{1,2}=/.test(access));
    expect(header.map((access) => access.slice(0, 6))).toEqual(['W32@10', 'W32@4=']);
  });

  test('happens once for every save', () => {
    const { analyser, device } = traced();
    device.saveState();
    device.restoreState();
    analyser.take();
    device.restoreState();
    expect(analyser.take()).toBe('');
  });

  test('brings extended control registers back', () => {
    const { device } = traced();
    device.config.write(0x146, 2, 0x11);
    device.config.write(0x98, 2, 0x5810);
    device.saveState();
    device.function.reset('bus');
    device.restoreState();
    expect([device.config.read(0x146, 2), device.config.read(0x98, 2)]).toEqual([0x11, 0x5810]);
  });

  test('clears errors that happened before', () => {
    const { device } = traced();
    device.saveState();
    device.function.config.poke32(0x104, 0x1000);
    device.restoreState();
    expect(device.config.read(0x104, 4)).toBe(0);
  });

  test('rewrites the windows of a bridge even if they look the same', () => {
    const config = configOf({
      bytes: [
        [0x0e, [1]],
        [0x18, [0, 1, 1]],
        [0x24, words(0x00010001, 7, 8)],
      ],
    });
    const { analyser, device } = traced(config);
    device.saveState();
    analyser.take();
    device.restoreState();
    expect(analyser.take()).toContain(
      'W32@2c=00000008 R32@28 W32@28=00000007 R32@24 W32@24=00010001',
    );
  });
});

describe('stored states', () => {
  test('are loaded in place of what is saved', () => {
    const { device } = traced();
    device.config.write(0x3c, 1, 5);
    device.saveState();
    const stored = device.storeSavedState();
    device.config.write(0x3c, 1, 6);
    device.saveState();
    expect(device.loadSavedState(stored)).toBe(0);
    device.restoreState();
    expect(device.config.read(0x3c, 1)).toBe(5);
  });

  test('are none before a save and after a restore', () => {
    const { device } = traced();
    expect(device.storeSavedState()).toBeUndefined();
    device.saveState();
    device.restoreState();
    expect(device.storeSavedState()).toBeUndefined();
  });

  test('that are none leave nothing to restore', () => {
    const { device } = traced();
    device.saveState();
    expect(device.loadSavedState(undefined)).toBe(0);
    device.config.write(0x3c, 1, 9);
    device.restoreState();
    expect(device.config.read(0x3c, 1)).toBe(9);
  });

  test('of a device with other capabilities are EINVAL and leave nothing to restore', () => {
    const { device } = traced();
    const other = traced(FULL).device;
    other.saveState();
    device.saveState();
    expect(device.loadSavedState(other.storeSavedState())).toBe(EINVAL);
    expect(device.storeSavedState()).toBeUndefined();
  });
});

describe('laws of saved state', () => {
  test('whatever software wrote is there again after a reset between save and restore', () => {
    const offsets = [0x04, 0x0c, 0x10, 0x3c, 0x98, 0xa0, 0xb8, 0x108, 0x10c, 0x114, 0x144];
    const write = fc.record({
      at: fc.constantFrom(...offsets),
      value: fc.integer({ min: 0, max: 0xffffffff }),
    });
    fc.assert(
      fc.property(
        fc.array(write),
        fc.constantFrom('flr', 'soft', 'bus', 'cold'),
        (writes, kind) => {
          const { device } = traced();
          // An FLR by register would run in the middle of the writes.
          for (const { at, value } of writes) device.config.write(at, 4, value & ~0x8000);
          const before = device.function.config.bytes.slice();
          device.saveState();
          device.function.reset(kind);
          device.restoreState();
          expect(device.function.config.bytes).toEqual(before);
        },
      ),
      { numRuns: 60 },
    );
  });
});
