import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bitLayout } from '../src/bit-fields.js';

describe('fields of firmware structures', () => {
  const layout = bitLayout(24, {
    a: [0x00, 8],
    b: [0x0b, 5],
    c: [0x10, 16],
    d: [0x40, 64],
    e: [0x80, 32],
  });

  it('count bits from the most significant one of the first byte', () => {
    const bytes = layout.encode({
      a: 0x12,
      b: 0x1f,
      c: 0x3456,
      d: 0x0102030405060708n,
      e: 0xfffffffe,
    });
    expect(Buffer.from(bytes).toString('hex')).toBe(
      '121f3456' + '00000000' + '0102030405060708' + 'fffffffe' + '00000000',
    );
  });

  it('leave their neighbours alone and come back as they were', () => {
    const values = fc.record({
      a: fc.nat(0xff),
      b: fc.nat(0x1f),
      c: fc.nat(0xffff),
      d: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      e: fc.nat(0xffffffff),
    });
    fc.assert(
      fc.property(values, (all) => {
        const bytes = new Uint8Array(24).fill(0xff);
        for (const name of ['c', 'e', 'a', 'd', 'b'] as const)
          layout.encode({ [name]: all[name] }, bytes);
        expect(layout.decode(bytes)).toEqual(all);
      }),
    );
  });

  it('read as zero where bytes are missing', () => {
    expect(layout.decode(Uint8Array.of(0x12, 0x03))).toEqual({ a: 0x12, b: 3, c: 0, d: 0n, e: 0 });
  });
});
