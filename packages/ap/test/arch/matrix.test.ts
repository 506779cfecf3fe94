import {
  ApMask,
  type ApMatrix,
  EMPTY_MATRIX,
  intersectMatrices,
  matricesShareQueues,
  matrixHas,
  matrixIsEmpty,
  queuesOf,
  sameMatrix,
  subtractMatrix,
} from '@vfiokit/ap';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const mask = fc.uniqueArray(fc.nat(255), { maxLength: 6 }).map((ids) => ApMask.from(ids));
const matrix: fc.Arbitrary<ApMatrix> = fc.record({ apm: mask, aqm: mask, adm: mask });

describe('a matrix', () => {
  it('has the product of its adapters and domains, in order', () => {
    const queues = queuesOf({ apm: ApMask.of(6, 5), aqm: ApMask.of(0xab, 4) });
    expect([...queues]).toEqual([0x0504, 0x05ab, 0x0604, 0x06ab]);
  });

  it('shares a queue with another exactly if one is in both', () => {
    fc.assert(
      fc.property(matrix, matrix, (a, b) => {
        const common = [...queuesOf(a)].filter((apqn) => matrixHas(b, apqn));
        expect(matricesShareQueues(a, b)).toBe(common.length > 0);
        expect([...queuesOf(intersectMatrices(a, b))]).toEqual(common);
      }),
    );
  });

  it('without another has each set without the other’s', () => {
    fc.assert(
      fc.property(matrix, matrix, (a, b) => {
        const rest = subtractMatrix(a, b);
        expect(matrixIsEmpty(intersectMatrices(rest, b))).toBe(true);
        expect(sameMatrix(subtractMatrix(a, a), EMPTY_MATRIX)).toBe(true);
        expect(sameMatrix(subtractMatrix(a, EMPTY_MATRIX), a)).toBe(true);
      }),
    );
  });

  it('shares nothing with products beside it, the examples of the documentation', () => {
    const of = (apm: number[], aqm: number[]) => ({ apm: ApMask.from(apm), aqm: ApMask.from(aqm) });
    const first = of([3, 8], [0x10, 0x11]);
    expect(matricesShareQueues(first, of([3, 8], [0x12]))).toBe(false);
    expect(matricesShareQueues(first, of([9], [0x10, 0x11]))).toBe(false);
    expect(matricesShareQueues(first, of([3], [0x11, 0x12]))).toBe(true);
  });
});
