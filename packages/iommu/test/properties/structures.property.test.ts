import { DirtyBitmap, IovaRanges, RangeTree } from '@vfiokit/iommu';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

const PAGES = 64;

/** A run of pages within a small space. */
const run = fc
  .tuple(fc.nat(PAGES - 1), fc.integer({ min: 1, max: 8 }))
  .map(([start, length]) => ({ start, end: Math.min(PAGES, start + length) }));

describe('a tree of ranges', () => {
  const command = fc.record({ range: run, remove: fc.boolean() });

  test('finds what an array of pages finds, whatever comes and goes', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 200 }), (commands) => {
        const tree = new RangeTree<number>();
        const pages: (number | undefined)[] = Array(PAGES).fill(undefined);
        let id = 0;
        for (const { range, remove } of commands) {
          const { start, end } = range;
          const taken = pages.slice(start, end).some((page) => page !== undefined);
          expect(tree.firstWithin(start, end) !== 0).toBe(taken);
          if (remove) {
            const rows = [...tree.within(start, end)];
            const ids = rows.map((row) => tree.object(row));
            expect(ids).toEqual([
              ...new Set(pages.slice(start, end).filter((page) => page !== undefined)),
            ]);
            for (const row of rows) {
              for (const [at, page] of pages.entries())
                if (page === tree.object(row)) pages[at] = undefined;
              tree.remove(row);
            }
          } else if (!taken) {
            id += 1;
            tree.insert(start, end, 0, 0, id);
            pages.fill(id, start, end);
          }
          for (const [at, page] of pages.entries()) {
            const row = tree.find(at);
            expect(row === 0 ? undefined : tree.object(row)).toBe(page);
            const starts = page !== undefined && pages[at - 1] !== page;
            expect(tree.bisects(at)).toBe(page !== undefined && !starts);
          }
          expect(tree.size).toBe(new Set(pages.filter((page) => page !== undefined)).size);
        }
      }),
      { numRuns: 40 },
    );
  });

  test('is as good as new once it is cleared', () => {
    const tree = new RangeTree<string>();
    for (let i = 0; i < 5000; i += 1) tree.insert(i * 2, i * 2 + 1, i, i % 256, `${i}`);
    expect([...tree.rows()].map((row) => tree.start(row))).toEqual(
      Array.from({ length: 5000 }, (_, i) => i * 2),
    );
    tree.clear();
    expect([tree.size, tree.first(), tree.find(0)]).toEqual([0, 0, 0]);
    const row = tree.insert(2 ** 64 - 4096, 2 ** 64, 7, 3, 'top');
    expect(tree.find(2 ** 64 - 2048)).toBe(row);
    expect([tree.target(row), tree.flags(row), tree.next(row)]).toEqual([7, 3, 0]);
  });

  test('holds every 2 KiB of the 64-bit space exactly', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 53n - 1n }), (block) => {
        const address = block * 2048n;
        expect(BigInt(Number(address))).toBe(address);
      }),
    );
  });
});

describe('ranges of addresses', () => {
  test('are what a set of pages is, whatever is cut off or out', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ range: run, within: fc.boolean() }), { maxLength: 8 }),
        (cuts) => {
          let ranges = new IovaRanges([{ start: 0, end: PAGES }]);
          let pages = Array.from({ length: PAGES }, (_, page) => page);
          for (const { range, within } of cuts) {
            const inside = (page: number) => page >= range.start && page < range.end;
            ranges = within ? ranges.within(range) : ranges.without(range);
            pages = pages.filter((page) => inside(page) === within);
          }
          expect(
            [...ranges].flatMap(({ start, end }) =>
              Array.from({ length: end - start }, (_, i) => start + i),
            ),
          ).toEqual(pages);
          expect(ranges.empty).toBe(pages.length === 0);
          for (let start = 0; start < PAGES; start += 5)
            expect(ranges.hold(start, start + 2)).toBe(
              pages.includes(start) && pages.includes(start + 1),
            );
        },
      ),
    );
  });
});

describe('a dirty bitmap', () => {
  const PAGE = 4096;
  // Around the end of a chunk of 32768 bits, where runs are taken apart.
  const far = fc
    .tuple(fc.integer({ min: 32700, max: 32900 }), fc.integer({ min: 1, max: 120 }))
    .map(([start, length]) => ({ start, end: start + length }));

  test('holds what a set of pages holds, and copies it to any bit', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ range: far, set: fc.boolean() }), { maxLength: 20 }),
        far,
        fc.nat(70),
        (changes, asked, shift) => {
          const bitmap = new DirtyBitmap(PAGE);
          const pages = new Set<number>();
          for (const { range, set } of changes) {
            if (set) bitmap.set(range.start * PAGE, range.end * PAGE);
            else bitmap.clear(range.start * PAGE, range.end * PAGE);
            for (let page = range.start; page < range.end; page += 1)
              if (set) pages.add(page);
              else pages.delete(page);
          }
          const bytes = new Uint8Array(40);
          bitmap.copyTo(asked.start * PAGE, asked.end * PAGE, bytes, shift);
          for (let bit = 0; bit < 320; bit += 1) {
            const page = asked.start + bit - shift;
            const expected = bit >= shift && page < asked.end && pages.has(page);
            expect((bytes[bit >> 3]! & (1 << (bit & 7))) !== 0).toBe(expected);
          }
          for (let page = asked.start; page < asked.end; page += 1)
            expect(bitmap.has(page * PAGE)).toBe(pages.has(page));
        },
      ),
    );
  });
});
