import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isMultiple, readField64, wraps, writeField64 } from '../../src/address/address.js';

const SPACE = 1n << 64n;
/** Every size of number, and the borders at which doubles and the space end. */
const anyField = fc.oneof(
  fc.bigInt({ min: 0n, max: SPACE - 1n }),
  fc.bigInt({ min: 0n, max: 1n << 54n }),
  fc.constantFrom(0n, 1n, (1n << 53n) - 1n, 1n << 53n, (1n << 53n) + 1n, SPACE - 1n, SPACE - 4096n),
);

function view(value: bigint): DataView {
  const bytes = new DataView(new ArrayBuffer(16));
  bytes.setBigUint64(8, value, true);
  return bytes;
}

describe('64-bit fields of callers', () => {
  test('are exact, whether they are read as numbers or as bigints', () => {
    fc.assert(
      fc.property(anyField, (value) => {
        const field = readField64(view(value), 8);
        expect(BigInt(field)).toBe(value);
        expect(typeof field).toBe(value < 1n << 53n ? 'number' : 'bigint');
      }),
    );
  });

  test('wrap where their sum passes 2^64', () => {
    fc.assert(
      fc.property(anyField, anyField, (start, size) => {
        const [one, other] = [readField64(view(start), 8), readField64(view(size), 8)];
        expect(wraps(one, other)).toBe(start + size > SPACE);
      }),
    );
  });

  test('are multiples of a page or not', () => {
    fc.assert(
      fc.property(anyField, fc.constantFrom(2048, 4096, 65536), (value, page) => {
        expect(isMultiple(readField64(view(value), 8), page)).toBe(value % BigInt(page) === 0n);
      }),
    );
  });

  test('are written as C keeps them: 2^64 is 0', () => {
    for (const [value, kept] of [
      [0, 0n],
      [0x12345678_9000, 0x12345678_9000n],
      [2 ** 64 - 4096, SPACE - 4096n],
      [2 ** 64, 0n],
    ] as const) {
      const bytes = view(SPACE - 1n);
      writeField64(bytes, 8, value);
      expect(bytes.getBigUint64(8, true)).toBe(kept);
      expect(bytes.getBigUint64(0, true)).toBe(0n);
    }
  });
});
