import { describe, expect, test } from 'vitest';
import { findIova, type IovaWish } from '../../src/iommufd/auto-iova.js';
import { EINVAL, ENOSPC, EOVERFLOW } from '../support/errno.js';
import { ARENA } from '../support/host.js';
import { MockHost } from '../support/iommufd.js';

const PAGE = 4096;
const wish = (more: Partial<IovaWish>): IovaWish => ({
  address: PAGE,
  length: PAGE,
  page: PAGE,
  alignment: 1,
  allowed: [],
  ...more,
});
const nothing = () => undefined;

describe('an IOVA that is chosen (io_pagetable.c: iopt_alloc_iova)', () => {
  test('is never 0, even where 0 is allowed', () => {
    expect(findIova(wish({ allowed: [{ start: 0, end: 0x10000 }] }), nothing)).toBe(PAGE);
    expect(findIova(wish({ allowed: [{ start: 0, end: PAGE }] }), nothing)).toBe(ENOSPC);
  });

  test('is as aligned as address and length are, up to a huge page', () => {
    expect(findIova(wish({ address: 0x8000, length: 0x4000 }), nothing)).toBe(0x4000);
    expect(findIova(wish({ address: 0x2000, length: 0x4000 }), nothing)).toBe(0x2000);
    expect(findIova(wish({ address: 0, length: 0x3000 }), nothing)).toBe(0x4000);
    expect(findIova(wish({ address: 2 ** 40, length: 2 ** 30 }), nothing)).toBe(2 << 20);
  });

  test('keeps the place of the address in its page', () => {
    expect(findIova(wish({ address: 0x5800, length: 0x800 }), nothing)).toBe(0x1800);
    expect(findIova(wish({ address: 0x5800, alignment: PAGE }), nothing)).toBe(EINVAL);
  });

  test('is the first that fits behind what is in the way', () => {
    const taken = (start: number, end: number) =>
      start < 0x9000 && end > 0x1000 ? 0x9000 : undefined;
    expect(findIova(wish({ address: 0x8000, length: 0x4000 }), taken)).toBe(0xc000);
  });

  test('is below half of the space long', () => {
    expect(findIova(wish({ length: 2 ** 63 }), nothing)).toBe(EOVERFLOW);
  });

  test('comes from the lowest range that is allowed, in whatever order they were named', () => {
    const { iommufd } = new MockHost();
    const ioas = iommufd.ioasAlloc();
    const ranges = [
      [0x30000, 0x3ffff],
      [0x20000, 0x2ffff],
    ] as const;
    expect(iommufd.allowIovas(ioas, ranges)).toBe(0);
    expect(iommufd.map(ioas, ARENA + PAGE, PAGE)).toBe(0x20000n);
  });
});
