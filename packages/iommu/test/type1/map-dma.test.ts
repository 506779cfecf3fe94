import { describe, expect, test } from 'vitest';
import { EEXIST, EFAULT, EINVAL, ENOMEM, ENOSPC, EOVERFLOW } from '../support/errno.js';
import { ARENA, HOLE, OpenContainer, TestHost } from '../support/host.js';

const READONLY = 0x200_0000_0000;
const BAR = 0x500_0000_0000;
const MSI = [{ start: 0xfee00000n, end: 0xfeefffffn, type: 'msi' }] as const;

function ready(limit = 65535): { host: TestHost; container: OpenContainer } {
  const host = new TestHost({ parameters: { dmaEntryLimit: limit } });
  const { memory } = host.process;
  memory.map({ address: READONLY, size: 0x10000, writable: false });
  memory.map({ address: BAR, size: 0x10000, writable: true, deviceMemory: true });
  return { host, container: host.ready(3, host.device({ reserved: MSI })) };
}

describe('VFIO_IOMMU_MAP_DMA of type1 refuses', () => {
  test.each([
    ['[iommu:101] a structure that is too short', [0, ARENA, 0x1000, { argsz: 31 }], EINVAL],
    ['[iommu:102] unknown flags', [0, ARENA, 0x1000, { flags: 8 | 3 }], EINVAL],
    ['[iommu:103] nothing', [0, ARENA, 0, {}], EINVAL],
    ['[iommu:104] a mapping without permission', [0, ARENA, 0x1000, { flags: 0 }], EINVAL],
    [
      '[iommu:105] permission together with a new virtual address',
      [0, ARENA, 0x1000, { flags: 5 }],
      EINVAL,
    ],
    ['[iommu:106] IOVAs that wrap', [0xffff_ffff_ffff_f000n, ARENA, 0x2000, {}], EOVERFLOW],
    ['[iommu:108] virtual addresses that wrap', [0, 0xffff_ffff_ffff_f000n, 0x2000, {}], EOVERFLOW],
    [
      '[iommu:109] ranges that wrap, before it looks at permission',
      [0xffff_ffff_ffff_f000n, ARENA, 0x2000, { flags: 0 }],
      EOVERFLOW,
    ],
    ['[iommu:110] an IOVA within a page', [0x800, ARENA, 0x1000, {}], EINVAL],
    ['[iommu:111] a virtual address within a page', [0, ARENA + 0x800, 0x1000, {}], EINVAL],
    ['[iommu:112] parts of a page', [0, ARENA, 0x1800, {}], EINVAL],
    ['[iommu:120] the interrupt window', [0xfee00000, ARENA, 0x1000, {}], EINVAL],
    ['[iommu:121] a range that spans it', [0xfed00000, ARENA, 0x300000, {}], EINVAL],
    ['[iommu:122] what the IOMMU does not reach', [2 ** 48, ARENA, 0x1000, {}], EINVAL],
    ['[iommu:125] read-only memory for writing', [0, READONLY, 0x1000, {}], EFAULT],
  ] as const)('%s', (_title, [iova, vaddr, size, options], errno) => {
    const { host, container } = ready();
    expect(container.map(iova, vaddr, size, options)).toBe(errno);
    expect(container.available()).toBe(65535);
    expect(host.process.lockedBytes).toBe(0);
  });

  test('[iommu:113 iommu:114] what meets a mapping', () => {
    const { container } = ready();
    container.map(0x10000, ARENA, 0x4000);
    expect(container.map(0x10000, ARENA, 0x4000)).toBe(EEXIST);
    expect(container.map(0x13000, ARENA, 0x1000)).toBe(EEXIST);
    expect(container.map(0xf000, ARENA, 0x10000)).toBe(EEXIST);
  });

  test('[iommu:116 iommu:117 iommu:118] overlaps first, then what is too many, then what is out of range', () => {
    const { container } = ready(1);
    container.map(0x10000, ARENA, 0x1000);
    expect(container.map(0x10000, ARENA, 0x1000)).toBe(EEXIST);
    expect(container.map(0x20000, ARENA, 0x1000)).toBe(ENOSPC);
    expect(container.map(0xfee00000, ARENA, 0x1000)).toBe(ENOSPC);
  });

  test('[iommu:119] more mappings than the limit', () => {
    const { container } = ready(2);
    container.map(0, ARENA, 0x1000);
    container.map(0x1000, ARENA, 0x1000);
    expect(container.map(0x2000, ARENA, 0x1000)).toBe(ENOSPC);
    container.unmap(0, 0x1000);
    expect(container.map(0x2000, ARENA, 0x1000)).toBe(0);
  });

  test('[iommu:123] memory that is not there, and leaves no trace', () => {
    const { container } = ready();
    expect(container.map(0, HOLE, 0x1000)).toBe(EFAULT);
    expect(container.available()).toBe(65535);
    expect(container.map(0, ARENA, 0x1000)).toBe(0);
  });

  test('[iommu:126] more locked memory than the limit', () => {
    const { host, container } = ready();
    Object.assign(host.process.credentials, { ipcLock: false, memlock: 0x3000 });
    expect(container.map(0, ARENA, 0x4000)).toBe(ENOMEM);
    expect(host.process.lockedBytes).toBe(0);
    expect(container.map(0, ARENA, 0x3000)).toBe(0);
  });

  test('whichever comes first of a page that is missing and one that is too many', () => {
    const { host, container } = ready();
    host.process.memory.map({ address: HOLE, size: 0x4000, writable: true });
    Object.assign(host.process.credentials, { ipcLock: false, memlock: 0x4000 });
    expect(container.map(0, HOLE, 0x8000)).toBe(EFAULT);
    host.process.credentials.memlock = 0x3000;
    expect(container.map(0, HOLE, 0x8000)).toBe(ENOMEM);
  });
});

describe('VFIO_IOMMU_MAP_DMA of type1 accepts', () => {
  test('[iommu:107] the last page of the space', () => {
    const host = new TestHost();
    const container = host.ready(
      3,
      host.device({ caps: { aperture: { start: 0, end: 2 ** 64 } } }),
    );
    expect(container.map(0xffff_ffff_ffff_f000n, ARENA, 0x1000)).toBe(0);
  });

  test('[iommu:115] neighbours, which stay apart', () => {
    const { container } = ready();
    container.map(0, ARENA, 0x1000);
    expect(container.map(0x1000, ARENA + 0x1000, 0x1000)).toBe(0);
    expect(container.file.iommu!.snapshot().mappings).toHaveLength(2);
  });

  test('[iommu:124] memory that is not there, as long as nothing pins it', () => {
    const host = new TestHost();
    expect(host.ready(3, host.emulated()).map(0, HOLE, 0x1000)).toBe(0);
  });

  test('[iommu:127] more than the limit from who may lock, and counts it', () => {
    const { host, container } = ready();
    host.process.credentials.memlock = 0x1000;
    expect(container.map(0, ARENA, 0x4000)).toBe(0);
    expect(host.process.lockedBytes).toBe(0x4000);
  });

  test('[iommu:128] the same memory twice, and counts it twice', () => {
    const { host, container } = ready();
    container.map(0, ARENA, 0x4000);
    container.map(0x10000, ARENA, 0x4000);
    expect(host.process.lockedBytes).toBe(0x8000);
  });

  test('[iommu:129] a device’s memory, which counts for nothing', () => {
    const { host, container } = ready();
    expect(container.map(0, BAR, 0x10000)).toBe(0);
    expect(host.process.lockedBytes).toBe(0);
  });

  test('[iommu:130] a gigabyte as one mapping', () => {
    const { host, container } = ready();
    host.process.memory.map({ address: HOLE, size: 2 ** 30, writable: true });
    expect(container.map(2 ** 30, HOLE, 2 ** 30)).toBe(0);
    expect(container.available()).toBe(65534);
    expect(host.process.lockedBytes).toBe(2 ** 30);
  });

  test('[iommu:131] what devices may only write', () => {
    const { host, container } = ready();
    expect(container.map(0, ARENA, 0x1000, { flags: 2 })).toBe(0);
    const dma = host.iommuGroups.get(0)!.dma;
    expect(dma.write(0, Uint8Array.of(7))).toBe(1);
    expect(dma.read(0, new Uint8Array(1))).toBe(EFAULT);
    expect(host.arena[0]).toBe(7);
  });

  test('memory of several mappings of the process at once', () => {
    const { host, container } = ready();
    const after = new Uint8Array(0x1000);
    host.process.memory.map({
      address: ARENA + (16 << 20),
      size: 0x1000,
      writable: true,
      bytes: after,
    });
    expect(container.map(0, ARENA + (16 << 20) - 0x1000, 0x2000)).toBe(0);
    expect(host.iommuGroups.get(0)!.dma.write(0xffe, Uint8Array.of(1, 2, 3, 4))).toBe(4);
    expect([...host.arena.subarray(-2), ...after.subarray(0, 2)]).toEqual([1, 2, 3, 4]);
  });

  test('memory that its process unmaps later: devices go on reaching it', () => {
    const { host, container } = ready();
    container.map(0, ARENA, 0x1000);
    host.process.memory.unmap(host.process.memory.find(ARENA)!);
    expect(host.iommuGroups.get(0)!.dma.write(0, Uint8Array.of(9))).toBe(1);
    expect(host.arena[0]).toBe(9);
  });
});

test('memory that the process has given up since the last mapping is not there', () => {
  const host = new TestHost();
  const container = host.ready(3, host.device());
  const { memory } = host.process;
  const given = memory.map({ address: HOLE, size: 0x10000, writable: true });
  expect(container.map(0, HOLE, 0x1000)).toBe(0);
  memory.unmap(given);
  expect(container.map(0x1000, HOLE + 0x1000, 0x1000)).toBe(EFAULT);
  memory.map({ address: HOLE, size: 0x1000, writable: false });
  expect(container.map(0x1000, HOLE, 0x1000)).toBe(EFAULT);
  expect(container.map(0x1000, HOLE, 0x1000, { flags: 1 })).toBe(0);
});

test('memory of two neighbours counts by page, whoever was mapped before', () => {
  const host = new TestHost();
  const container = host.ready(3, host.device());
  const { memory } = host.process;
  memory.map({ address: HOLE, size: 0x2000, writable: true });
  memory.map({ address: HOLE + 0x2000, size: 0x2000, writable: true });
  expect(container.map(0x10000, HOLE + 0x1000, 0x2000)).toBe(0);
  expect(container.map(0x20000, HOLE, 0x1000)).toBe(0);
  expect(host.process.lockedBytes).toBe(0x3000);
  expect(container.unmap(0x20000, 0x1000)).toBe(0x1000n);
  expect(host.process.lockedBytes).toBe(0x2000);
  expect(container.unmap(0x10000, 0x2000)).toBe(0x2000n);
  expect(host.process.lockedBytes).toBe(0);
});
