import { type Difference, Tally } from '@vfiokit/replay';
import { describe, expect, test } from 'vitest';

const difference = (explanation?: string): Difference => ({
  path: 'x',
  section: 's',
  op: { seq: 1, op: 'delay', ms: 1 },
  mismatches: [],
  ...(explanation === undefined ? {} : { explanation }),
});

describe('outcomes are counted', () => {
  test('by class and by side, explained ones apart', () => {
    const tally = new Tally();
    tally.matched('interrupts');
    tally.matched('DMA mappings');
    tally.differed('interrupts', difference());
    tally.differed('resets', difference('after-reset'));
    expect(tally.count('interrupts')).toEqual({ matched: 1, explained: 0, differing: 1 });
    expect(tally.total('device')).toEqual({ matched: 1, explained: 1, differing: 1 });
    expect(tally.total('iommu')).toEqual({ matched: 1, explained: 0, differing: 0 });
    expect([...tally.explanations]).toEqual([['after-reset', 1]]);
  });

  test('with only the first differences kept, over several runs', () => {
    const all = new Tally(3);
    for (let run = 0; run < 2; run += 1) {
      const tally = new Tally(3);
      for (let i = 0; i < 2; i += 1) tally.differed('features', difference());
      all.add(tally);
    }
    expect(all.differences).toHaveLength(3);
    expect(all.total().differing).toBe(4);
  });
});
