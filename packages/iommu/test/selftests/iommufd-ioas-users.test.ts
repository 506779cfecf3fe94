// Cases of tools/testing/selftests/iommu/iommufd.c, by their names: what each asserts, in our own words and calls.

import type { DmaBufFile } from '@vfiokit/uapi';
import { describe, expect, test } from 'vitest';
import {
  EADDRINUSE,
  EBADF,
  EEXIST,
  EFAULT,
  EINVAL,
  ENODEV,
  ENOENT,
  EOVERFLOW,
  EPERM,
} from '../support/errno.js';
import { ARENA, le, OtherFile } from '../support/host.js';
import { access, IOAS_VARIANTS, ioasVariant, MOCK_START } from '../support/iommufd.js';

const PAGE = 4096;
const READ = 1;
const WRITE = 2;

describe.each(IOAS_VARIANTS)('iommufd_ioas (%s)', (_name, domains, memlock) => {
  const ready = () => ioasVariant(domains, memlock);
  const { base } = ready();

  test('access_domain_destroy: drivers’ pins outlive page tables', () => {
    const { mock, iommufd, ioas, devices } = ready();
    const { pages } = access(mock, ioas);
    iommufd.map(ioas, ARENA, 2 * PAGE, { iova: base });
    expect(pages.pinPages(base, 2, READ)).toHaveLength(2);
    for (const device of devices) device.detach();
    expect(pages.read(base, new Uint8Array(4))).toBe(0);
    pages.unpinPages(base, 2);
    expect(iommufd.unmapAll(ioas)).toBe(BigInt(2 * PAGE));
  });

  test('access_pin: pins count, and keep areas until they are given back', () => {
    const { mock, iommufd, ioas } = ready();
    const { device, pages } = access(mock, ioas);
    iommufd.map(ioas, ARENA, 2 * PAGE, { iova: base });
    expect(
      [pages.pinPages(base, 1, WRITE), pages.pinPages(base, 2, WRITE)].map(
        (pinned) => (pinned as []).length,
      ),
    ).toEqual([1, 2]);
    device.dmaUnmap = () => {};
    expect(iommufd.unmap(ioas, base, 2 * PAGE)).toBe(-35);
    pages.unpinPages(base, 1);
    pages.unpinPages(base, 2);
    expect(iommufd.unmap(ioas, base, 2 * PAGE)).toBe(BigInt(2 * PAGE));
    expect(pages.pinPages(base, 1, READ)).toBe(ENOENT);
  });

  test('access_pin_unmap: an unmap asks drivers to give back first', () => {
    const { mock, iommufd, ioas } = ready();
    const { device, pages } = access(mock, ioas);
    iommufd.map(ioas, ARENA, 2 * PAGE, { iova: base });
    pages.pinPages(base + PAGE, 1, READ);
    expect(iommufd.unmap(ioas, base, 2 * PAGE)).toBe(BigInt(2 * PAGE));
    expect(device.unmaps).toEqual([{ iova: BigInt(base), size: BigInt(2 * PAGE) }]);
  });

  test('access_rw, access_rw_unaligned: copies of any length, anywhere, as permission goes', () => {
    const { mock, iommufd, ioas } = ready();
    const { pages } = access(mock, ioas);
    iommufd.map(ioas, ARENA, 2 * PAGE, { iova: base });
    iommufd.map(ioas, ARENA, PAGE, { iova: base + 0x10000, flags: 4 });
    const from = Uint8Array.from({ length: 3000 }, (_, i) => i & 0xff);
    for (const offset of [0, 1, PAGE - 1500, PAGE - 1]) {
      expect(pages.write(base + offset, from)).toBe(0);
      const into = new Uint8Array(3000);
      expect(pages.read(base + offset, into)).toBe(0);
      expect(into).toEqual(from);
    }
    expect(pages.write(base + 2 * PAGE - 10, from)).toBe(ENOENT);
    expect(pages.write(base + 0x10000, from)).toBe(EPERM);
    expect(pages.pinPages(base + 0x10000, 1, WRITE)).toBe(EPERM);
  });

  test('fork_gone, fork_present: memory of a process that has gone is there only if it was pinned', () => {
    const { mock, ioas } = ready();
    const child = mock.host.newProcess();
    Object.assign(child.credentials, { ipcLock: true });
    const argument = le(
      40,
      [0, 4, 40],
      [4, 4, 7],
      [8, 4, ioas],
      [16, 8, ARENA],
      [24, 8, PAGE],
      [32, 8, base],
    );
    expect(mock.iommufd.file.ioctl(0x3b85, argument, child)).toBe(0);
    const { pages } = access(mock, ioas);
    expect(pages.read(base, new Uint8Array(4))).toBe(0);
    child.exit();
    expect(pages.read(base, new Uint8Array(4))).toBe(domains > 0 ? 0 : EFAULT);
    const late = mock.bound({ driver: 'late' }).attach(ioas);
    if (domains > 0) expect(late).toBeGreaterThan(0);
    // Without a page table the base is below what the late one reaches.
    else expect(late).toBe(EADDRINUSE);
  });

  test('ioas_option_huge_pages: can be told, and asked for', () => {
    const { iommufd, ioas } = ready();
    expect([
      iommufd.option(1, 'get', ioas),
      iommufd.option(1, 0, ioas),
      iommufd.option(1, 'get', ioas),
    ]).toEqual([1n, 0, 0n]);
    expect([iommufd.option(1, 1, ioas), iommufd.option(1, 2, ioas)]).toEqual([0, EINVAL]);
  });

  test('ioas_iova_alloc: a place for each length, until it is given back', () => {
    const { iommufd, ioas } = ready();
    const found = Array.from(
      { length: 8 },
      (_, i) => [iommufd.map(ioas, ARENA, 2 ** i * 2048), 2 ** i * 2048] as const,
    ).filter(([at]) => typeof at === 'bigint');
    expect(found.length).toBeGreaterThanOrEqual(memlock < 2 ** 30 ? 4 : 8);
    for (const [at, length] of found) expect(iommufd.unmap(ioas, at, length)).toBe(BigInt(length));
  });

  test('ioas_align_change: a late page table wants what is there aligned', () => {
    const { mock, iommufd, ioas } = ready();
    if (domains > 0) {
      expect(iommufd.map(ioas, ARENA + 1024, 2048, { iova: base + 1024 })).toBe(EINVAL);
      return;
    }
    expect(iommufd.map(ioas, ARENA + 1024, 1024, { iova: MOCK_START + 1024 })).toBe(
      BigInt(MOCK_START + 1024),
    );
    expect(mock.bound().attach(ioas)).toBe(EADDRINUSE);
    expect(iommufd.option(1, 0, ioas)).toBe(EADDRINUSE);
    iommufd.unmapAll(ioas);
    expect(mock.bound().attach(ioas)).toBeGreaterThan(0);
  });

  test('dmabuf_simple, dmabuf_revoke: a device’s memory by its dma-buf, as long as that may be used', () => {
    const { mock, iommufd, ioas, devices } = ready();
    let revoked = false;
    const buffer: DmaBufFile = {
      kind: 'dma-buf' as const,
      get revoked() {
        return revoked;
      },
      map: () => (revoked ? ENODEV : [{ iova: 0xe0000000n, length: BigInt(4 * PAGE) }]),
      close: () => {},
    };
    const fd = mock.host.fd(buffer);
    expect(iommufd.mapFile(ioas, fd, 0, 8 * PAGE, base)).toBe(EINVAL);
    expect(iommufd.mapFile(ioas, fd, 0, 4 * PAGE, base)).toBe(BigInt(base));
    expect(iommufd.mapFile(ioas, fd, PAGE, PAGE, base + 0x10000)).toBe(BigInt(base + 0x10000));
    const reaches = () => devices.map(({ dma }) => dma.translate(base + 0x10008, WRITE)?.offset);
    expect(reaches()).toEqual(devices.map(() => 8));
    const { pages } = access(mock, ioas);
    expect([pages.read(base, new Uint8Array(4)), pages.pinPages(base, 1, READ)]).toEqual([
      EINVAL,
      EINVAL,
    ]);
    const page = { iova: 0xe0000000n, length: BigInt(PAGE) };
    const ways: readonly DmaBufFile['map'][] = [() => [page, page], () => []];
    for (const map of ways) {
      const other: DmaBufFile = { ...buffer, map };
      expect(iommufd.mapFile(ioas, mock.host.fd(other), 0, PAGE, base + 0x20000)).toBe(EINVAL);
    }
    revoked = true;
    expect(reaches()).toEqual(devices.map(() => undefined));
    expect(iommufd.mapFile(ioas, fd, 0, PAGE, base + 0x20000)).toBe(ENODEV);
    expect(mock.host.process.lockedBytes).toBe(0);
  });

  test('map_file: files of memory, of which only what is there', () => {
    const { mock, iommufd, ioas } = ready();
    const fd = mock.host.fd(mock.memFile(4 * PAGE));
    expect(iommufd.mapFile(ioas, 900, 0, PAGE, base)).toBe(EBADF);
    expect(iommufd.mapFile(ioas, mock.host.fd(new OtherFile()), 0, PAGE, base)).toBe(EINVAL);
    expect(iommufd.mapFile(ioas, fd, 2 * PAGE, 4 * PAGE, base)).toBe(EINVAL);
    expect(iommufd.mapFile(ioas, fd, 0, 0, base)).toBe(EINVAL);
    expect(iommufd.mapFile(ioas, fd, 0xffff_ffff_ffff_f000n, 2 * PAGE, base)).toBe(EOVERFLOW);
    expect(iommufd.mapFile(99, fd, 0, PAGE, base)).toBe(ENOENT);
    expect(iommufd.mapFile(99, fd, 0, PAGE, 2n ** 64n - 1n)).toBe(EOVERFLOW);
    expect(iommufd.mapFile(99, fd, 0, 2n ** 64n - 1n, base)).toBe(EOVERFLOW);
    expect(iommufd.mapFile(ioas, fd, PAGE, 2 * PAGE, base)).toBe(BigInt(base));
  });

  test('copy_area: whole, parts, and what is not there', () => {
    const { iommufd, ioas } = ready();
    const target = iommufd.ioasAlloc();
    iommufd.map(ioas, ARENA, 2 * PAGE, { iova: base });
    expect(iommufd.copy([ioas, base], [target, base], 2 * PAGE)).toBe(BigInt(base));
    expect(iommufd.copy([ioas, base], [target, base], PAGE)).toBe(EEXIST);
    expect(iommufd.copy([ioas, base + PAGE], [ioas, base + 0x10000], PAGE)).toBe(
      BigInt(base + 0x10000),
    );
    expect(iommufd.copy([ioas, base + PAGE], [target, base + 0x20000], 2 * PAGE)).toBe(ENOENT);
    expect(iommufd.destroy(target)).toBe(0);
  });

  test('copy_sweep: every start and length of a source, and only those that are mapped', () => {
    const { iommufd, ioas } = ready();
    iommufd.map(ioas, ARENA, 4 * PAGE, { iova: base + 4 * PAGE });
    const target = iommufd.ioasAlloc();
    for (let start = 0; start < 10; start += 1)
      for (let length = 1; length < 6; length += 1) {
        const inside = start >= 4 && start + length <= 8;
        const result = iommufd.copy([ioas, base + start * PAGE], [target, 0x100000], length * PAGE);
        expect(result).toBe(inside ? 0x100000n : ENOENT);
        if (inside) iommufd.unmap(target, 0x100000, length * PAGE);
      }
  });
});
