import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Struct } from '../src/index.js';

/** Pins a structure's size and the place of every member, and that its bytes survive decoding and encoding. */
export function describeLayout<T>(
  layout: Struct<T>,
  size: number,
  offsets: { readonly [Name in keyof T]: number },
): void {
  describe(layout.name, () => {
    test(`has ${size} bytes and its members at ${Object.values(offsets).join(', ')}`, () => {
      expect(layout.size).toBe(size);
      expect(layout.offsets).toEqual(offsets);
      expect(Object.keys(layout.offsets)).toEqual(Object.keys(offsets));
    });

    test('encodes what it decoded, and leaves padding alone', () => {
      fc.assert(
        fc.property(bytes(size), (original) => {
          const copy = original.slice();
          const value = layout.decode(original);
          for (const offset of Object.values<number>(offsets)) copy[offset]! ^= 0xff;
          expect(layout.encode(value, copy)).toEqual(original);
        }),
        { numRuns: 20 },
      );
    });
  });
}

/** Pins the numbers that a module exports, all of them. */
export function describeConstants(
  name: string,
  module: object,
  constants: Readonly<Record<string, number | string>>,
): void {
  test(`the numbers of ${name} are those of the kernel's header`, () => {
    const exported = Object.entries(module).filter(
      ([key, value]) => /^_*(VFIO|IOMMU|IOMMUFD|EEH)_/.test(key) && typeof value !== 'function',
    );
    expect(Object.fromEntries(exported)).toEqual(constants);
  });
}

/** Arbitrary bytes, exactly so many. */
export function bytes(length: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: length, maxLength: length });
}

/** Bytes from hexadecimal text. */
export function hex(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
}
