import { ApMask } from '@vfiokit/ap';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const ids = fc.uniqueArray(fc.nat(255), { maxLength: 40 });
const setOf = (mask: ApMask): number[] => [...mask];
const ascending = (list: Iterable<number>): number[] => [...list].sort((a, b) => a - b);

describe('a mask', () => {
  it.each([
    [[0], `0x8${'0'.repeat(63)}`],
    [[1, 7], `0x41${'0'.repeat(62)}`],
    [[5, 6], `0x06${'0'.repeat(62)}`],
    [[255], `0x${'0'.repeat(63)}1`],
    [[4, 0xab], '0x0800000000000000000000000000000000000000001000000000000000000000'],
  ])('%j is written %s, bit 0 leftmost', (set, text) => {
    expect(String(ApMask.from(set))).toBe(text);
  });

  it('of everything but four ids is written as the complement', () => {
    const mask = ApMask.ALL.andNot(ApMask.of(4, 0x47, 0xab, 0xff));
    expect(String(mask)).toBe('0xf7fffffffffffffffeffffffffffffffffffffffffeffffffffffffffffffffe');
  });

  it('refuses an id that no mask can hold', () => {
    expect(() => ApMask.of(256)).toThrow(RangeError);
    expect(() => ApMask.of(-1)).toThrow(RangeError);
  });

  it('takes missing bytes and digits for zeroes', () => {
    expect(setOf(ApMask.fromBytes(Uint8Array.of(0x80)))).toEqual([0]);
    expect(setOf(ApMask.fromHex('000000001'))).toEqual([35]);
  });

  it('is not changed by the operations on it', () => {
    const mask = ApMask.of(3);
    mask.with(4).without(3);
    expect(setOf(mask)).toEqual([3]);
    expect(setOf(ApMask.NONE)).toEqual([]);
  });
});

describe('masks obey the laws of sets:', () => {
  it('every operation gives what it gives for a set of numbers', () => {
    fc.assert(
      fc.property(ids, ids, fc.nat(255), (left, right, id) => {
        const a = ApMask.from(left);
        const b = ApMask.from(right);
        const inB = new Set(right);
        expect(setOf(a)).toEqual(ascending(left));
        expect(setOf(a.and(b))).toEqual(ascending(left.filter((n) => inB.has(n))));
        expect(setOf(a.or(b))).toEqual(ascending(new Set([...left, ...right])));
        expect(setOf(a.andNot(b))).toEqual(ascending(left.filter((n) => !inB.has(n))));
        expect(a.intersects(b)).toBe(left.some((n) => inB.has(n)));
        expect(b.covers(a)).toBe(left.every((n) => inB.has(n)));
        expect(a.has(id)).toBe(left.includes(id));
        expect(a.size).toBe(left.length);
        expect(a.isEmpty).toBe(left.length === 0);
      }),
    );
  });

  it('bytes, text and equality keep a mask as it is', () => {
    fc.assert(
      fc.property(ids, (set) => {
        const mask = ApMask.from(set);
        expect(ApMask.fromBytes(mask.toBytes()).equals(mask)).toBe(true);
        expect(ApMask.fromHex(String(mask).slice(2)).equals(mask)).toBe(true);
        expect(mask.equals(mask.with(set[0] ?? 0))).toBe(set.length > 0);
      }),
    );
  });
});
