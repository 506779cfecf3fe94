import { describe, expect, it } from 'vitest';
import { alignedSweep, places, sweep } from '../src/contracts/sweep.js';

describe('a look at a whole region', () => {
  it('takes every offset of a small one', () => {
    expect(sweep(5)).toEqual([0, 1, 2, 3, 4]);
    expect(sweep(0x10000)).toHaveLength(0x10000);
    expect(alignedSweep(10, 4)).toEqual([0, 4]);
    expect(alignedSweep(10, 1)).toHaveLength(10);
  });

  it.each([0x10001, 0x123457, 2 ** 37])(
    'takes both ends and a sample of one of %i bytes',
    (size) => {
      const offsets = sweep(size);
      expect(offsets.length).toBeLessThan(0x4000);
      expect(new Set(offsets).size).toBe(offsets.length);
      expect(offsets.slice(0, 0x1000)).toEqual([...Array(0x1000).keys()]);
      expect(offsets.slice(-0x1000)).toEqual(
        [...Array(0x1000).keys()].map((i) => size - 0x1000 + i),
      );
      expect(offsets.filter((at) => at >= 0x1000 && at < size - 0x1003).length).toBeGreaterThan(
        1000,
      );
      const dwords = alignedSweep(size, 4).filter((at) => at >= 0x1000 && at < size - 0x1003);
      for (const at of dwords) expect([1, 2, 3].every((i) => offsets.includes(at + i))).toBe(true);
    },
  );

  it('names the first places where something is wrong', () => {
    expect(places([])).toBe('');
    expect(places([16, 32])).toBe('0x10, 0x20');
    expect(places([...Array(9).keys()])).toMatch(/0x7 …$/);
  });
});
