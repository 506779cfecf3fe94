import { describe, expect, test } from 'vitest';
import { PciTopology, powerStateName } from '../src/index.js';
import { Analyser, configOf, PM } from './helpers.js';

const EIO = -5;
const EINVAL = -22;

/** A function with a PM capability; `pmc` says which states it has, `pmcsr` whether it keeps its registers. */
function traced(pmc = 0x0003, pmcsr = 0x08, options = {}, platform = {}) {
  const analyser = new Analyser();
  const body = [pmc & 0xff, pmc >> 8, pmcsr, 0];
  const device = new PciTopology({ platform: analyser.platform(platform) }).add(
    '0000:00:03.0',
    {
      config: configOf({ capabilities: [{ ...PM, body }] }),
      bars: [
        { size: 4096, kind: 'memory' },
        { size: 4096, kind: 'memory', is64Bit: true },
      ],
    },
    options,
  );
  analyser.take();
  return { analyser, device };
}

describe('power states', () => {
  test('have the names that sysfs shows', () => {
    expect([0, 3, 4, 5, 9].map(powerStateName)).toEqual([
      'D0',
      'D3hot',
      'D3cold',
      'unknown',
      'error',
    ]);
  });

  test('that are there already cost no access', () => {
    const { analyser, device } = traced();
    expect(device.setPowerState(0)).toBe(0);
    expect(analyser.take()).toBe('');
  });

  test('are read, written and read back', () => {
    const { analyser, device } = traced();
    expect(device.setPowerState(3)).toBe(0);
    expect(analyser.take()).toBe('R16@44 W16@44=000b R16@44');
    expect(device.currentState).toBe(3);
    expect(device.setPowerState(0)).toBe(0);
    expect(analyser.take()).toBe('R16@44 W16@44=0000 R16@44');
    expect(device.currentState).toBe(0);
  });

  test('D1 and D2 are EIO for a function that does not have them', () => {
    const { device } = traced();
    expect([device.setPowerState(1), device.setPowerState(2), device.currentState]).toEqual([
      EIO,
      EIO,
      0,
    ]);
  });

  test('D1 and D2 are quietly ignored where a quirk forbids them', () => {
    const { device } = traced(0x0603, 0, { quirks: { noD1D2: true } });
    expect([device.setPowerState(1), device.currentState]).toEqual([0, 0]);
  });

  test('D3 is quietly ignored where a quirk forbids it', () => {
    const { device } = traced(0x0003, 0, { quirks: { noD3: true } });
    expect([device.setPowerState(3), device.currentState]).toEqual([0, 0]);
  });

  test('only go deeper, or to D0', () => {
    const { device } = traced(0x0603);
    expect(device.setPowerState(2)).toBe(0);
    expect(device.setPowerState(1)).toBe(EINVAL);
    expect(device.setPowerState(3)).toBe(0);
    expect(device.setPowerState(0)).toBe(0);
  });

  test('are EIO without the capability', () => {
    const device = new PciTopology().add('0000:00:03.0', { config: configOf() });
    expect([device.setPowerState(3), device.currentState]).toEqual([EIO, 0]);
  });

  test('follow what the register says after the write', () => {
    const { device } = traced();
    device.function.config.writeMask[0x44] = 0;
    expect([device.setPowerState(3), device.currentState]).toEqual([0, 0]);
  });

  test('become D3cold with EIO when nothing answers', () => {
    const { device } = traced();
    device.function.setPowered(false);
    expect([device.setPowerState(3), device.currentState]).toEqual([EIO, 4]);
    expect([device.setPowerState(0), device.currentState]).toEqual([EIO, 4]);
  });

  test('of a function that forgets its registers bring the BARs back with D0', () => {
    const { analyser, device } = traced(0x0003, 0);
    const addresses = [0x10, 0x14, 0x18].map((at) => device.config.read(at, 4));
    device.setPowerState(3);
    analyser.take();
    device.setPowerState(0);
    expect(analyser.take()).toMatch(
      /^R16@44 W16@44=0000 R16@44 W32@10=\w+ R32@10 R16@4 W16@4=\w+ W32@14=/,
    );
    expect([0x10, 0x14, 0x18].map((at) => device.config.read(at, 4))).toEqual(addresses);
    expect(addresses.every((address, index) => index === 2 || address !== 0)).toBe(true);
  });

  test('beyond D3cold stand for D3cold, which needs the machine', () => {
    const { device } = traced();
    expect([device.setPowerState(9), device.currentState]).toEqual([0, 3]);
    const asked: number[] = [];
    const powered = traced(
      0x0003,
      0,
      {},
      {
        setPowerState: (_: unknown, state: number) => {
          asked.push(state);
          if (state === 4) powered.function.setPowered(false);
          return 0;
        },
      },
    ).device;
    expect([powered.setPowerState(4), powered.currentState]).toEqual([0, 4]);
    expect(asked).toEqual([4]);
  });
});
