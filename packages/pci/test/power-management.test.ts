import { describe, expect, test } from 'vitest';
import { MemoryBlock, PciFunction } from '../src/index.js';
import { configOf, PM } from './helpers.js';

const PMCSR = 0x44;

function functionWith(pmc: number, pmcsr = 0): PciFunction {
  return new PciFunction({
    config: configOf({ capabilities: [{ ...PM, body: [pmc & 0xff, pmc >> 8, pmcsr, 0] }] }),
    bars: [{ size: 4096, kind: 'memory', block: new MemoryBlock(4096) }],
  });
}

const D1_AND_D2 = 0x0603;

describe('power states', () => {
  test('D1 and D2 are entered only where the function has them', () => {
    const both = functionWith(D1_AND_D2);
    both.config.write(PMCSR, 2, 1);
    expect(both.powerState).toBe(1);
    both.config.write(PMCSR, 2, 2);
    expect(both.powerState).toBe(2);
    const none = functionWith(0x0003);
    none.config.write(PMCSR, 2, 1);
    none.config.write(PMCSR, 2, 2);
    expect(none.powerState).toBe(0);
  });

  test('a shallower sleep is entered only through D0', () => {
    const silicon = functionWith(D1_AND_D2);
    silicon.config.write(PMCSR, 2, 3);
    silicon.config.write(PMCSR, 2, 1);
    expect(silicon.powerState).toBe(3);
    silicon.config.write(PMCSR, 2, 0);
    expect(silicon.powerState).toBe(0);
  });

  test('a byte write to the other half leaves the state alone', () => {
    const silicon = functionWith(0x0003);
    silicon.config.write(PMCSR + 1, 1, 3);
    expect(silicon.powerState).toBe(0);
  });

  test('memory answers in D0 only', () => {
    const silicon = functionWith(0x0003, 0x08);
    silicon.config.write(0x04, 2, 2);
    silicon.bars[0]!.decoded.write(0, 4, 5);
    silicon.config.write(PMCSR, 2, 3);
    expect(silicon.bars[0]!.decoded.read(0, 4)).toBe(0xffffffff);
    silicon.config.write(PMCSR, 2, 0);
    expect(silicon.bars[0]!.decoded.read(0, 4)).toBe(5);
  });

  test('the way back from D3hot resets a function without No_Soft_Reset', () => {
    const silicon = functionWith(0x0003);
    silicon.config.write(0x04, 2, 6);
    silicon.config.write(PMCSR, 2, 3);
    expect(silicon.config.read(0x04, 2)).toBe(6);
    silicon.config.write(PMCSR, 2, 0);
    expect(silicon.config.read(0x04, 2)).toBe(0);
  });

  test('the way back from D3hot keeps everything with No_Soft_Reset', () => {
    const silicon = functionWith(0x0003, 0x08);
    silicon.config.write(0x04, 2, 6);
    silicon.config.write(PMCSR, 2, 3);
    silicon.config.write(PMCSR, 2, 0);
    expect(silicon.config.read(0x04, 2)).toBe(6);
  });

  test('a recorded image is what the registers hold after the way back', () => {
    const config = configOf({ capabilities: [{ ...PM, body: [3, 0, 0, 0] }] });
    const soft = config.slice();
    soft[0x3c] = 0x77;
    const silicon = new PciFunction({ config, resets: { soft } });
    silicon.config.write(PMCSR, 2, 3);
    silicon.config.write(PMCSR, 2, 0);
    expect(silicon.config.read(0x3c, 1)).toBe(0x77);
  });

  test('PME enable and status survive the way back', () => {
    const silicon = functionWith(0xf803);
    silicon.config.write(PMCSR, 2, 0x0100);
    silicon.config.poke16(PMCSR, 0x8100);
    silicon.config.write(PMCSR, 2, 0x0103);
    silicon.config.write(PMCSR, 2, 0x0100);
    expect(silicon.config.read(PMCSR, 2)).toBe(0x8100);
  });

  test('without power nothing answers, and everything is reset when it comes back', () => {
    const silicon = functionWith(0x0003);
    silicon.config.write(0x04, 2, 6);
    silicon.setPowered(false);
    expect(silicon.powerState).toBe(4);
    expect(silicon.config.read(0, 4)).toBe(0xffffffff);
    expect(silicon.bars[0]!.decoded.read(0, 2)).toBe(0xffff);
    silicon.setPowered(true);
    expect(silicon.powerState).toBe(0);
    expect(silicon.config.read(0x04, 2)).toBe(0);
  });
});
