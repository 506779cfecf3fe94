import { describe, expect, test } from 'vitest';
import { EINVAL, EOVERFLOW } from '../support/errno.js';
import { ARENA, TestHost } from '../support/host.js';

const [READ_WRITE, VADDR] = [3, 4];
const [GET_DIRTY, UNMAP_VADDR] = [1, 4];
const START = 1;
const BITMAP = ARENA + 0x800000;

/** A v2 container that tracks dirty pages, with 16 pages mapped at 0. */
function tracking() {
  const host = new TestHost();
  const container = host.ready(3, host.device());
  container.map(0, ARENA, 0x10000);
  container.dirtyPages(START);
  return container;
}

describe('the bitmap that a call brings along', () => {
  const LARGEST = 0x1000_0000;

  test('may be 256 MiB long, and no longer', () => {
    const container = tracking();
    expect(container.getBitmap(0, 0x10000, { size: LARGEST, data: BITMAP })).toBe(0);
    expect(container.getBitmap(0, 0x10000, { size: LARGEST + 1, data: BITMAP })).toBe(EINVAL);
  });

  test('is for a page at least, by its own page size', () => {
    const container = tracking();
    const bitmap = { pgsize: 0x20000, size: 8, data: BITMAP };
    expect(container.unmapDirty(0, 0x10000, bitmap)).toBe(EINVAL);
    expect(container.unmapDirty(0, 0x10000, { ...bitmap, pgsize: 0x2000 })).toBe(EINVAL);
    expect(container.unmapDirty(0, 0x10000, { ...bitmap, pgsize: 0x1000 })).toBe(0x10000n);
    const last = 2n ** 64n - 0x1000n;
    expect(container.unmapDirty(last, 0x2000, { ...bitmap, pgsize: 0x4000 })).toBe(EINVAL);
    expect(container.unmapDirty(last, 0x2000, { ...bitmap, pgsize: 0x1000 })).toBe(EOVERFLOW);
  });

  test('goes neither with all mappings nor with virtual addresses', () => {
    const container = tracking();
    const bitmap = { size: 8, data: BITMAP };
    expect(container.unmapDirty(0, 0x10000, bitmap, { flags: GET_DIRTY | UNMAP_VADDR })).toBe(
      EINVAL,
    );
    expect(container.unmapDirty(0, 0, bitmap, { flags: GET_DIRTY | 2 })).toBe(EINVAL);
    expect(container.map(0, ARENA, 0x10000, { flags: VADDR })).toBe(EINVAL);
  });
});

describe('withdrawing virtual addresses on v1', () => {
  test('stops at a mapping that starts before the range, as unmapping does', () => {
    const host = new TestHost();
    const container = host.ready(1, host.device());
    container.map(0, ARENA, 0x4000, { flags: READ_WRITE });
    container.map(0x8000, ARENA, 0x4000, { flags: READ_WRITE });
    expect(container.unmap(0x2000, 0xa000, { flags: UNMAP_VADDR })).toBe(0n);
    expect(container.map(0x8000, ARENA, 0x4000, { flags: VADDR })).toBe(EINVAL);
    expect(container.unmap(0, 0x1000, { flags: UNMAP_VADDR })).toBe(0x4000n);
  });
});
