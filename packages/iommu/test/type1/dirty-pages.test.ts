import { KERNEL_QUIRKS } from '@vfiokit/iommu';
import { describe, expect, test } from 'vitest';
import { EACCES, EFAULT, EINVAL, EOVERFLOW } from '../support/errno.js';
import {
  ARENA,
  HOLE,
  type OpenContainer,
  type StubDevice,
  TestHost,
  unsetContainer,
} from '../support/host.js';

const [START, STOP, GET] = [1, 2, 4];
const BITMAP = ARENA + 0x800000;

function bits(container: OpenContainer, iova: number, size: number, bytes = 8): number[] {
  container.process.memory.write(BITMAP, new Uint8Array(bytes));
  expect(container.getBitmap(iova, size, { size: bytes, data: BITMAP })).toBe(0);
  return [...container.process.memory.read(BITMAP, bytes)!];
}

const first = (container: OpenContainer, iova: number, size: number) =>
  bits(container, iova, size)[0];

/** A device that does its own DMA, opened, with a container in which 16 pages are mapped and tracked. */
function emulated(): { host: TestHost; device: StubDevice; container: OpenContainer } {
  const host = new TestHost();
  const device = host.emulated();
  const container = host.ready(3, device);
  container.group(device).getDevice(device.name, host.process);
  container.map(0, ARENA, 0x10000);
  container.dirtyPages(START);
  return { host, device, container };
}

describe('VFIO_IOMMU_DIRTY_PAGES', () => {
  test('[iommu:169] is for v2, and reads nothing before it says so', () => {
    const host = new TestHost();
    expect(host.ready(1, host.device()).ioctl(0x3b75, undefined)).toBe(EACCES);
  });

  test.each([
    ['[iommu:170] nothing', 0, 8, EINVAL],
    ['[iommu:170] two things at once', START | STOP, 8, EINVAL],
    ['[iommu:170] unknown flags', 8, 8, EINVAL],
    ['a structure that is too short', START, 7, EINVAL],
  ] as const)('refuses %s', (_title, flags, argsz, errno) => {
    const host = new TestHost();
    expect(host.ready(3, host.device()).dirtyPages(flags, argsz)).toBe(errno);
  });

  test('faults on a bad pointer', () => {
    const host = new TestHost();
    expect(host.ready(3, host.device()).ioctl(0x3b75, undefined)).toBe(EFAULT);
  });

  test('[iommu:171] starts and stops as often as one likes', () => {
    const host = new TestHost();
    const container = host.ready(3, host.device());
    expect([STOP, START, START, STOP, STOP].map((flags) => container.dirtyPages(flags))).toEqual(
      Array(5).fill(0),
    );
  });

  test.each([
    ['[iommu:173] without a range', 0, 0x4000, { flags: GET, argsz: 8 }, EINVAL],
    ['[iommu:173] with most of a range', 0, 0x4000, { flags: GET, argsz: 47 }, EINVAL],
    ['[iommu:174] of nothing', 0, 0, {}, EINVAL],
    ['[iommu:174] of a range that wraps', -4096, 0x2000, {}, EOVERFLOW],
    ['[iommu:175] of part of a mapping', 0, 0x2000, {}, EINVAL],
    ['[iommu:175] from inside a mapping', 0x1000, 0x3000, {}, EINVAL],
    ['of parts of a page', 0, 0x3800, {}, EINVAL],
  ] as const)('reports nothing %s', (_title, iova, size, options, errno) => {
    const host = new TestHost();
    const container = host.ready(3, host.device());
    container.map(0, ARENA, 0x4000);
    container.dirtyPages(START);
    expect(container.getBitmap(iova, size, { size: 8, data: BITMAP }, options)).toBe(errno);
  });

  test('[iommu:172] reports nothing before it has started', () => {
    const host = new TestHost();
    const container = host.ready(3, host.device());
    container.map(0, ARENA, 0x4000);
    expect(container.getBitmap(0, 0x4000, { size: 8, data: BITMAP })).toBe(EINVAL);
  });

  test('faults on a bitmap that cannot be written', () => {
    const host = new TestHost();
    const container = host.ready(3, host.device());
    container.map(0, ARENA, 0x4000);
    container.dirtyPages(START);
    expect(container.getBitmap(0, 0x4000, { size: 8, data: HOLE })).toBe(EFAULT);
  });

  test('[iommu:176] leaves words alone that lie wholly in a hole', () => {
    const host = new TestHost();
    const container = host.ready(3, host.device());
    container.map(0, ARENA, 0x1000);
    container.map(0xc0000, ARENA, 0x1000);
    container.dirtyPages(START);
    container.process.memory.write(BITMAP, new Uint8Array(32).fill(0xaa));
    expect(container.getBitmap(0, 0x100000, { size: 32, data: BITMAP })).toBe(0);
    const seen = container.process.memory.read(BITMAP, 32)!;
    expect([...seen.subarray(8, 24)]).toEqual(Array(16).fill(0xaa));
    expect([seen[0], seen[24]]).toEqual([1, 1]);
    expect([...seen.subarray(1, 8)]).toEqual(Array(7).fill(0));
  });

  test('[iommu:177] reports all that hardware can write, every time', () => {
    const host = new TestHost();
    const container = host.ready(3, host.device());
    container.map(0, ARENA, 0x4000);
    container.dirtyPages(START);
    expect([first(container, 0, 0x4000), first(container, 0, 0x4000)]).toEqual([0xf, 0xf]);
  });

  test('[iommu:178] reports what a driver has copied, once', () => {
    const { device, container } = emulated();
    expect(first(container, 0, 0x10000)).toBe(0);
    expect(device.door!.pages!.write(0x3fff, Uint8Array.of(1))).toBe(0);
    expect([first(container, 0, 0x10000), first(container, 0, 0x10000)]).toEqual([8, 0]);
  });

  test('[iommu:179 iommu:180] reports pages that drivers keep pinned every time, and others once', () => {
    const { device, container } = emulated();
    const pages = device.door!.pages!;
    pages.pinPages(0x1000, 1, 2);
    expect([first(container, 0, 0x10000), first(container, 0, 0x10000)]).toEqual([2, 2]);
    pages.pinPages(0x3000, 1, 2);
    pages.unpinPages(0x3000, 1);
    expect([first(container, 0, 0x10000), first(container, 0, 0x10000)]).toEqual([0xa, 2]);
    pages.unpinPages(0x1000, 1);
    // It was pinned when the last report was made: it may have been written since.
    expect([first(container, 0, 0x10000), first(container, 0, 0x10000)]).toEqual([2, 0]);
  });

  test('[iommu:181] narrows to pinned pages once every group has shown that it pins', () => {
    const host = new TestHost();
    const device = host.device();
    device.dmaUnmap = () => {};
    const container = host.ready(3, device);
    container.group(device).getDevice(device.name, host.process);
    container.map(0, ARENA, 0x8000);
    container.dirtyPages(START);
    expect(first(container, 0, 0x8000)).toBe(0xff);
    device.door!.pages!.pinPages(0x2000, 1, 2);
    expect(first(container, 0, 0x8000)).toBe(4);
  });

  test('[iommu:182] reports everything once after a group has left that wrote without telling', () => {
    const host = new TestHost();
    const [silent, driver] = [host.device(), host.emulated()];
    const container = host.ready(3, silent, driver);
    container.map(0, ARENA, 0x8000);
    container.dirtyPages(START);
    unsetContainer(container.group(silent), host.process);
    expect([first(container, 0, 0x8000), first(container, 0, 0x8000)]).toEqual([0xff, 0]);
  });

  test('[iommu:183] follows mappings that come while it tracks', () => {
    const { device, container } = emulated();
    container.map(0x100000, ARENA + 0x100000, 0x4000);
    device.door!.pages!.write(0x101000, Uint8Array.of(1));
    expect(first(container, 0x100000, 0x4000)).toBe(2);
  });

  test('a mapping of more than 2^31-1 pages cannot be tracked', () => {
    const host = new TestHost();
    const container = host.ready(3, host.emulated());
    expect(container.map(0, ARENA, 2 ** 43)).toBe(0);
    expect(container.dirtyPages(START)).toBe(EINVAL);
    container.unmap(0, 2 ** 43);
    container.dirtyPages(START);
    expect(container.map(0, ARENA, 2 ** 43)).toBe(EINVAL);
  });

  test('a report leaves bits of its neighbours behind, as the kernel’s does, unless the quirk is off', () => {
    const seen = [true, false].map((staleDirtyBits) => {
      const host = new TestHost({ parameters: { quirks: { ...KERNEL_QUIRKS, staleDirtyBits } } });
      const container = host.ready(3, host.device());
      container.map(0, ARENA, 0x4000);
      container.map(0x4000, ARENA, 0x2000);
      container.dirtyPages(START);
      return [first(container, 0, 0x6000), first(container, 0x4000, 0x2000)];
    });
    expect(seen).toEqual([
      [0x3f, 0x3f],
      [0x3f, 0x03],
    ]);
  });

  test('go with their mapping: what is mapped anew at the same place is clean', () => {
    const { device, container } = emulated();
    device.door!.pages!.write(0x3000, Uint8Array.of(1));
    container.unmap(0, 0x10000);
    container.map(0, ARENA, 0x10000);
    expect(bits(container, 0, 0x10000).slice(0, 2)).toEqual([0, 0]);
    device.door!.pages!.write(0x1000, Uint8Array.of(1));
    expect(bits(container, 0, 0x10000).slice(0, 2)).toEqual([2, 0]);
  });
});
