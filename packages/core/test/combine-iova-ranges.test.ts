import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { combineIovaRanges } from '../src/combine-iova-ranges.js';

const range = (iova: number, length: number) => ({ iova: BigInt(iova), length: BigInt(length) });

describe('[derived:142] making do with fewer ranges', () => {
  it('merges over the smallest gaps', () => {
    const ranges = [range(0x1000, 0x1000), range(0x8000, 0x1000), range(0x3000, 0x1000)];
    expect(combineIovaRanges(ranges, 2)).toEqual([range(0x1000, 0x3000), range(0x8000, 0x1000)]);
  });

  it('takes the first of several equal gaps', () => {
    const ranges = [range(0x1000, 0x1000), range(0x3000, 0x1000), range(0x5000, 0x1000)];
    expect(combineIovaRanges(ranges, 2)).toEqual([range(0x1000, 0x3000), range(0x5000, 0x1000)]);
  });

  it('leaves as many as there may be alone', () => {
    const ranges = [range(0x5000, 0x1000), range(0x1000, 0x1000)];
    expect(combineIovaRanges(ranges, 2)).toEqual([range(0x1000, 0x1000), range(0x5000, 0x1000)]);
  });

  it('covers everything that was covered, in order, with as few as asked for', () => {
    const ranges = fc
      .array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })), {
        minLength: 1,
      })
      .map((steps) => {
        let at = 0;
        return steps.map(([gap, length]) => {
          const made = range(at + gap, length);
          at += gap + length;
          return made;
        });
      });
    fc.assert(
      fc.property(ranges, fc.integer({ min: 1, max: 8 }), (before, want) => {
        const after = combineIovaRanges(before, want);
        expect(after.length).toBe(Math.min(before.length, want));
        for (const { iova, length } of before)
          expect(
            after.some((one) => one.iova <= iova && one.iova + one.length >= iova + length),
          ).toBe(true);
        for (let i = 1; i < after.length; i += 1)
          expect(after[i]!.iova).toBeGreaterThan(after[i - 1]!.iova + after[i - 1]!.length);
      }),
    );
  });
});
