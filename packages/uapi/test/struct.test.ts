import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { array, s32, struct, u8, u16, u64, viewOf } from '../src/index.js';
import { bytes } from './layout.js';

const mixed = struct('mixed', { a: u8, b: u64, c: u16, d: s32, e: array(u16, 3) });

describe('a structure', () => {
  test('aligns every member naturally and rounds its size up', () => {
    expect(mixed.offsets).toEqual({ a: 0, b: 8, c: 16, d: 20, e: 24 });
    expect(mixed.ends).toEqual({ a: 1, b: 16, c: 18, d: 24, e: 30 });
    expect(mixed.size).toBe(32);
    expect(mixed.alignment).toBe(8);
  });

  test('is a member of another, aligned as its widest member', () => {
    const outer = struct('outer', { head: u8, inner: mixed, tail: u8 });
    expect(outer.offsets).toEqual({ head: 0, inner: 8, tail: 40 });
    expect(outer.size).toBe(48);
    const value = outer.decode(outer.encode({ inner: mixed.decode(new Uint8Array(32).fill(1)) }));
    expect(value.inner.c).toBe(0x0101);
  });

  test('without members has no bytes', () => {
    expect(struct('empty', {})).toMatchObject({ size: 0, alignment: 1 });
  });

  test('gives back every value that was encoded', () => {
    const value = fc.record({
      a: fc.nat(0xff),
      b: fc.bigInt(0n, 0xffff_ffff_ffff_ffffn),
      c: fc.nat(0xffff),
      d: fc.integer(),
      e: fc.tuple(fc.nat(0xffff), fc.nat(0xffff), fc.nat(0xffff)),
    });
    fc.assert(
      fc.property(value, (given) => {
        expect(mixed.decode(mixed.encode(given))).toEqual(given);
      }),
    );
  });

  test('is little-endian', () => {
    const value = mixed.encode({ a: 0x11, b: 0x0102030405060708n, c: 0x2233, d: -2 });
    expect(Buffer.from(value).toString('hex')).toBe(
      '1100000000000000080706050403020133220000feffffff0000000000000000',
    );
  });

  test('reads the bytes that are missing as zeroes', () => {
    fc.assert(
      fc.property(bytes(32), fc.nat(40), (all, length) => {
        const padded = all.map((byte, at) => (at < length ? byte : 0));
        expect(mixed.decode(all.subarray(0, length))).toEqual(mixed.decode(padded));
      }),
    );
  });

  test('is found anywhere in a buffer that is a part of another', () => {
    const whole = new Uint8Array(100).fill(0xff);
    mixed.encode({ c: 7 }, whole.subarray(10), 20);
    expect(mixed.decode(whole.subarray(10), 20).c).toBe(7);
    expect(whole[46]).toBe(7);
    expect(mixed.decode(viewOf(whole.subarray(30))).c).toBe(7);
  });

  test('leaves alone what a partial value does not name', () => {
    const into = new Uint8Array(32).fill(0xaa);
    mixed.encode({ d: 0 }, into);
    expect([...into].flatMap((byte, at) => (byte === 0xaa ? [] : [at]))).toEqual([20, 21, 22, 23]);
  });

  test('does not fit into fewer bytes than the named members need', () => {
    expect(() => mixed.encode({ d: 1 }, new Uint8Array(23))).toThrow(RangeError);
    expect(() => mixed.encode({ d: 1 }, new Uint8Array(24))).not.toThrow();
  });
});
