import { StoredConfig } from '@vfiokit/testing';
import { describe, expect, it } from 'vitest';
import { openConfig } from './reference-function.js';

/** A PCI Express function whose extended capabilities are `[position, id, next]`. */
function withExtended(...list: readonly (readonly [number, number, number])[]) {
  const hw = new StoredConfig(4096);
  hw.set(0x06, 2, 0x0010).set(0x34, 1, 0x40).set(0x40, 1, 0x10).set(0x42, 2, 2);
  for (const [position, id, next] of list)
    hw.set(position, 4, (id | 0x10000 | (next * 2 ** 20)) >>> 0);
  return openConfig(hw);
}

describe('the list of extended capabilities', () => {
  it('is followed for as many dwords as there are, even in circles', () => {
    const { capabilities } = withExtended([0x100, 0x03, 0x140], [0x140, 0x18, 0x100]);
    expect(capabilities.filter(({ extended }) => extended)).toHaveLength(960);
  });

  it('leads to dwords: the low bits of a link are none', () => {
    const { capabilities } = withExtended([0x100, 0x03, 0x142], [0x140, 0x18, 0]);
    expect(capabilities.map(({ position }) => position)).toEqual([0x40, 0x100, 0x140]);
  });

  it('hides an id above 255, whatever its low byte is', () => {
    const { read, space } = withExtended([0x100, 0x03, 0x140], [0x140, 0x0118, 0]);
    expect(read(0x100, 4).value).toBe(0x00010003);
    expect(space.describe(0x144).owner).toBe('raw');
  });

  it('shows its own link to a reader of half a header too', () => {
    const { read, hw } = withExtended([0x100, 0x03, 0x140], [0x140, 0x1e, 0x180], [0x180, 0x18, 0]);
    expect(hw.read(0x102, 2)).toBe(0x1401);
    expect(read(0x102, 2)).toEqual({ value: 0x1801, hw: 'R16@102' });
    expect(read(0x103, 1).value).toBe(0x18);
  });
});

describe('PCI Express of a version that there is not', () => {
  it.each([
    [0x0000, 52],
    [0x0003, 52],
    [0x0090, 44],
  ])('with flags %i is %i bytes long', (flags, length) => {
    const hw = new StoredConfig(256);
    hw.set(0x06, 2, 0x0010).set(0x34, 1, 0x40).set(0x40, 1, 0x10).set(0x42, 2, flags);
    const { capabilities } = openConfig(hw);
    expect(capabilities).toMatchObject([{ position: 0x40, length }]);
  });
});
