import { describe, expect, test } from 'vitest';
import { PciFunction } from '../src/index.js';
import { configOf, MSI } from './helpers.js';

function wired(config = configOf()) {
  const silicon = new PciFunction({ config });
  const levels: boolean[] = [];
  silicon.connect({ pin: (asserted) => levels.push(asserted) });
  return { silicon, levels };
}

describe('interrupt pin', () => {
  test('carries a level, and only its changes', () => {
    const { silicon, levels } = wired();
    silicon.intx.assert();
    silicon.intx.assert();
    silicon.intx.deassert();
    expect(levels).toEqual([true, false]);
  });

  test('shows in STATUS what the function wants', () => {
    const { silicon } = wired();
    silicon.intx.assert();
    expect(silicon.config.read(0x06, 2) & 8).toBe(8);
    silicon.intx.deassert();
    expect(silicon.config.read(0x06, 2) & 8).toBe(0);
  });

  test('is kept from the wire by INTX_DISABLE, but not from STATUS', () => {
    const { silicon, levels } = wired();
    silicon.config.write(0x04, 2, 0x0400);
    silicon.intx.assert();
    expect(levels).toEqual([]);
    expect(silicon.config.read(0x06, 2) & 8).toBe(8);
    silicon.config.write(0x04, 2, 0);
    expect(levels).toEqual([true]);
    silicon.config.write(0x04, 2, 0x0400);
    expect(levels).toEqual([true, false]);
  });

  test('is let go when MSI is enabled', () => {
    const { silicon, levels } = wired(configOf({ capabilities: [MSI] }));
    silicon.intx.assert();
    silicon.config.write(0x52, 2, 1);
    expect(levels).toEqual([true, false]);
  });

  test('does nothing for a function without a pin', () => {
    const { silicon, levels } = wired(configOf({ bytes: [[0x3d, [0]]] }));
    silicon.intx.assert();
    expect(levels).toEqual([]);
    expect(silicon.config.read(0x06, 2) & 8).toBe(0);
  });

  test('is deasserted by a reset', () => {
    const { silicon, levels } = wired();
    silicon.intx.assert();
    silicon.reset('bus');
    expect(levels).toEqual([true, false]);
    expect(silicon.intx.pending).toBe(false);
  });

  test('that INTX_DISABLE keeps from the wire does not reach it in a reset either', () => {
    const { silicon, levels } = wired();
    silicon.config.write(0x04, 2, 0x0400);
    silicon.intx.assert();
    silicon.reset('flr');
    expect(levels).toEqual([]);
  });
});
