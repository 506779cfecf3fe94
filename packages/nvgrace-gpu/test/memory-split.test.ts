import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitMemory } from '../src/index.js';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const BASE = 0x4c_0000_0000n;

describe("the GPU's memory as BARs", () => {
  it('[derived:149] keeps at least 1 GiB uncached and makes whole blocks of 512 MiB of the rest', () => {
    fc.assert(
      fc.property(fc.integer({ min: 3 * 512, max: 600 * 1024 }), fc.nat(MIB - 1), (mib, bytes) => {
        const total = mib * MIB + bytes;
        const { usemem, resmem } = splitMemory('gpu', BASE, total, true);
        expect(resmem!.length).toBeGreaterThanOrEqual(GIB);
        expect(usemem.length % (512 * MIB)).toBe(0);
        expect(usemem.length).toBeGreaterThan(0);
        expect(usemem.length + resmem!.length).toBe(total);
        expect(usemem.base).toBe(BASE);
        expect(resmem!.base).toBe(BASE + BigInt(usemem.length));
        for (const part of [usemem, resmem!]) {
          expect(Number.isInteger(Math.log2(part.barSize))).toBe(true);
          expect(part.barSize).toBeGreaterThanOrEqual(part.length);
        }
      }),
    );
  });

  it('is sized before whole blocks are made of it', () => {
    const { usemem } = splitMemory('gpu', BASE, GIB + 4 * GIB + MIB, true);
    expect(usemem.length).toBe(4 * GIB);
    expect(usemem.barSize).toBe(8 * GIB);
  });

  it('is all cached without the bug', () => {
    expect(splitMemory('gpu', BASE, 3 * GIB, false)).toEqual({
      usemem: { base: BASE, length: 3 * GIB, barSize: 4 * GIB },
      resmem: undefined,
    });
  });

  it('is too little below 1 GiB, and below 512 MiB more', () => {
    expect(() => splitMemory('gpu', BASE, GIB - 1, true)).toThrow(
      expect.objectContaining({ code: 'EOVERFLOW' }),
    );
    expect(() => splitMemory('gpu', BASE, GIB + 512 * MIB - 1, true)).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
  });
});
