import { describe, expect, test } from 'vitest';
import { EBUSY, EINVAL, ENOENT, ENOMEM, EOVERFLOW } from '../support/errno.js';
import { ARENA, HOLE, type OpenContainer, TestHost } from '../support/host.js';

const ALL = { flags: 2 };
const VADDR = { flags: 4 };
const BITMAP = ARENA + 0x800000;

/** A container with A = [0x0..0x3fff] and B = [0x8000..0xbfff]. */
function withTwo(type: number): OpenContainer {
  const host = new TestHost();
  const container = host.ready(type, host.device());
  container.map(0, ARENA, 0x4000);
  container.map(0x8000, ARENA + 0x8000, 0x4000);
  return container;
}

const left = (container: OpenContainer) =>
  container.file.iommu!.snapshot().mappings.map(({ iova }) => Number(iova));

describe('VFIO_IOMMU_UNMAP_DMA of type1 refuses', () => {
  test.each([
    ['[iommu:132] a structure that is too short', [0, 0x4000, { argsz: 23 }], EINVAL],
    ['[iommu:133] unknown flags', [0, 0x4000, { flags: 8 }], EINVAL],
    ['[iommu:134] nothing', [0, 0, {}], EINVAL],
    ['[iommu:135] everything from somewhere', [0x1000, 0, ALL], EINVAL],
    ['[iommu:135] everything of some size', [0, 0x1000, ALL], EINVAL],
    ['[iommu:138] an IOVA within a page', [0x800, 0x4000, {}], EINVAL],
    ['[iommu:139] a range that wraps', [0xffff_ffff_ffff_f000n, 0x2000, {}], EOVERFLOW],
    ['[iommu:142] v2: the first half of a mapping', [0, 0x2000, {}], EINVAL],
    ['[iommu:143] v2: the last half of a mapping', [0x2000, 0x2000, {}], EINVAL],
    ['[iommu:144] v2: a page in the middle', [0x1000, 0x1000, {}], EINVAL],
    ['[iommu:146] v2: one mapping and half of another', [0, 0xa000, {}], EINVAL],
    ['[iommu:151] a size that is no multiple of a page', [0, 0xffff_ffff_ffff_ffffn, {}], EINVAL],
    ['[iommu:156] everything with a bitmap', [0, 0, { flags: 3 }], EINVAL],
    ['[iommu:157] a bitmap that is not there', [0, 0x4000, { flags: 1 }], EINVAL],
  ] as const)('%s', (_title, [iova, size, options], errno) => {
    const container = withTwo(3);
    expect(container.unmap(iova, size, options)).toBe(errno);
    expect(left(container)).toEqual([0, 0x8000]);
  });
});

describe('VFIO_IOMMU_UNMAP_DMA of type1', () => {
  // Requests of the reference's table, with what v1 and v2 answer and which mappings they leave.
  test.each([
    ['[iommu:141] a whole mapping', 0, 0x4000, 0x4000n, 0x4000n, [0x8000], [0x8000]],
    ['[iommu:147] the first page of one', 0, 0x1000, 0x4000n, EINVAL, [0x8000], [0, 0x8000]],
    ['[iommu:148] the second page of one', 0x1000, 0x1000, 0n, EINVAL, [0, 0x8000], [0, 0x8000]],
    ['the last page of one', 0x3000, 0x1000, 0n, EINVAL, [0, 0x8000], [0, 0x8000]],
    ['[iommu:140] a hole', 0x4000, 0x4000, 0n, 0n, [0, 0x8000], [0, 0x8000]],
    [
      '[iommu:150] a hole and the first page of one',
      0x4000,
      0x5000,
      0x4000n,
      EINVAL,
      [0],
      [0, 0x8000],
    ],
    ['[iommu:145] two with a hole between them', 0, 0xc000, 0x8000n, 0x8000n, [], []],
    ['one and the first page of another', 0, 0x9000, 0x8000n, EINVAL, [], [0, 0x8000]],
    [
      '[iommu:149] from inside one over another',
      0x2000,
      0xa000,
      0n,
      EINVAL,
      [0, 0x8000],
      [0, 0x8000],
    ],
  ] as const)('%s', (_title, iova, size, v1, v2, leftV1, leftV2) => {
    const [first, second] = [withTwo(1), withTwo(3)];
    expect([first.unmap(iova, size), second.unmap(iova, size)]).toEqual([v1, v2]);
    expect([left(first), left(second)]).toEqual([leftV1, leftV2]);
  });

  test('[iommu:136 iommu:137] everything, which may be nothing', () => {
    const container = withTwo(3);
    container.map(0x20000, ARENA, 0x1000);
    expect(container.unmap(0, 0, ALL)).toBe(0x9000n);
    expect(container.unmap(0, 0, ALL)).toBe(0n);
  });

  test('[iommu:151 iommu:152] all but the last page, and that', () => {
    const host = new TestHost();
    const container = host.ready(
      3,
      host.device({ caps: { aperture: { start: 0, end: 2 ** 64 } } }),
    );
    container.map(0, ARENA, 0x1000);
    container.map(0xffff_ffff_ffff_f000n, ARENA, 0x1000);
    expect(container.unmap(0, 0xffff_ffff_ffff_f000n)).toBe(0x1000n);
    expect(container.unmap(0xffff_ffff_ffff_f000n, 0x1000)).toBe(0x1000n);
  });

  test('[iommu:153] the same twice', () => {
    const container = withTwo(3);
    expect([container.unmap(0, 0x4000), container.unmap(0, 0x4000)]).toEqual([0x4000n, 0n]);
  });

  test('[iommu:154] writes the size back only if it succeeds', () => {
    const container = withTwo(3);
    const argument = new Uint8Array(24);
    const view = new DataView(argument.buffer);
    view.setUint32(0, 24, true);
    view.setBigUint64(16, 0x2000n, true);
    const before = argument.slice();
    expect(container.ioctl(0x3b72, argument)).toBe(EINVAL);
    expect(argument).toEqual(before);
  });

  test('[iommu:155] unlocks what was locked', () => {
    const host = new TestHost();
    const container = host.ready(3, host.device());
    for (let i = 0; i < 8; i += 1) container.map(i * 0x10000, ARENA, 0x3000);
    expect(host.process.lockedBytes).toBe(0x18000);
    container.unmap(0, 0, ALL);
    expect(host.process.lockedBytes).toBe(0);
  });
});

describe('VFIO_IOMMU_UNMAP_DMA with a dirty bitmap', () => {
  test('[iommu:158] wants tracking on, and leaves the mapping otherwise', () => {
    const container = withTwo(3);
    expect(container.unmapDirty(0, 0x4000, { size: 8, data: BITMAP })).toBe(EINVAL);
    expect(left(container)).toEqual([0, 0x8000]);
  });

  test.each([
    ['[iommu:159] a page that is not the smallest', { pgsize: 0x200000, size: 8, data: BITMAP }],
    ['[iommu:160] a bitmap that is a byte too small', { size: 7, data: BITMAP }],
    ['no bitmap', { size: 0, data: BITMAP }],
    ['a bitmap that is too large', { size: (256 << 20) + 8, data: BITMAP }],
    ['a bitmap where no user is', { size: 8, data: 2n ** 63n }],
  ])('refuses %s', (_title, bitmap) => {
    const container = withTwo(3);
    container.dirtyPages(1);
    expect(container.unmapDirty(0, 0x4000, bitmap)).toBe(EINVAL);
    expect(left(container)).toEqual([0, 0x8000]);
  });

  test('[iommu:161] reports every page of what hardware could write, and removes it', () => {
    const container = withTwo(3);
    container.dirtyPages(1);
    expect(container.unmapDirty(0, 0x4000, { size: 8, data: BITMAP })).toBe(0x4000n);
    expect([...container.process.memory.read(BITMAP, 8)!]).toEqual([0xf, 0, 0, 0, 0, 0, 0, 0]);
    expect(left(container)).toEqual([0x8000]);
  });

  test('stops where the bitmap cannot be written: what was reported before is gone', () => {
    const container = withTwo(3);
    container.dirtyPages(1);
    expect(container.unmapDirty(0, 0x10000, { size: 8, data: HOLE })).toBe(-14);
    expect(left(container)).toEqual([0, 0x8000]);
  });
});

describe('withdrawing virtual addresses', () => {
  test('[iommu:162] keeps DMA going until new ones come', () => {
    const host = new TestHost();
    const device = host.device();
    const container = host.ready(3, device);
    container.map(0x10000, ARENA, 0x4000);
    expect(container.unmap(0x10000, 0x4000, VADDR)).toBe(0x4000n);
    expect(device.iommuGroup!.dma.write(0x10000, Uint8Array.of(1))).toBe(1);
    expect(container.map(0x10000, ARENA + 0x100000, 0x4000, { flags: 4 })).toBe(0);
    expect(device.iommuGroup!.dma.write(0x10001, Uint8Array.of(2))).toBe(1);
    expect([...host.arena.subarray(0, 2)]).toEqual([1, 2]);
    expect(container.file.iommu!.snapshot().mappings[0]!.target).toBe(BigInt(ARENA + 0x100000));
  });

  test('[iommu:163] and giving new ones goes only where they are withdrawn, for exactly that', () => {
    const container = withTwo(3);
    expect(container.map(0, ARENA, 0x4000, { flags: 4 })).toBe(EINVAL);
    expect(container.map(0x20000, ARENA, 0x4000, { flags: 4 })).toBe(ENOENT);
    container.unmap(0, 0x4000, VADDR);
    expect(container.map(0, ARENA, 0x2000, { flags: 4 })).toBe(EINVAL);
  });

  test('[iommu:164] twice is refused, and changes nothing', () => {
    const container = withTwo(3);
    container.unmap(0x8000, 0x4000, VADDR);
    expect(container.unmap(0, 0xc000, VADDR)).toBe(EINVAL);
    expect(container.map(0, ARENA, 0x4000, { flags: 4 })).toBe(EINVAL);
    expect(container.map(0x8000, ARENA, 0x4000, { flags: 4 })).toBe(0);
  });

  test('[iommu:165] is refused with an emulated group', () => {
    const host = new TestHost();
    const container = host.ready(3, host.device(), host.emulated());
    container.map(0, ARENA, 0x4000);
    expect(container.unmap(0, 0x4000, VADDR)).toBe(EBUSY);
  });

  test('[iommu:166] does not keep from unmapping', () => {
    const host = new TestHost();
    const container = host.ready(3, host.device());
    container.map(0, ARENA, 0x4000);
    container.unmap(0, 0, { flags: 6 });
    expect(container.unmap(0, 0x4000)).toBe(0x4000n);
    expect(container.add(host.device())).toBe(0);
  });

  test('moves what counts as locked to the process that gives new ones', () => {
    const host = new TestHost();
    const container = host.ready(3, host.device());
    container.map(0, ARENA, 0x4000);
    container.unmap(0, 0x4000, VADDR);
    const heir = host.newProcess();
    Object.assign(heir.credentials, { ipcLock: false, memlock: 0x3000 });
    expect(container.map(0, ARENA, 0x4000, { flags: 4, caller: heir })).toBe(ENOMEM);
    heir.credentials.memlock = 0x4000;
    expect(container.map(0, ARENA, 0x4000, { flags: 4, caller: heir })).toBe(0);
    expect([host.process.lockedBytes, heir.lockedBytes]).toEqual([0, 0x4000]);
  });
});
