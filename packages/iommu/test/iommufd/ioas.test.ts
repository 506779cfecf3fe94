import { KERNEL_QUIRKS } from '@vfiokit/iommu';
import { describe, expect, test } from 'vitest';
import {
  EADDRINUSE,
  EBUSY,
  EEXIST,
  EFAULT,
  EINVAL,
  EMSGSIZE,
  ENOENT,
  ENOMEM,
  ENOSPC,
  EOPNOTSUPP,
  EOVERFLOW,
  EPERM,
} from '../support/errno.js';
import { ARENA, HOLE } from '../support/host.js';
import { access, MOCK_LAST, MOCK_START, MockHost, OpenIommufd } from '../support/iommufd.js';

const ULONG_MAX = 2n ** 64n - 1n;
const PAGE = 4096;

describe('mapping into an IOAS', () => {
  test('[iommu:251] wants known flags, some permission, and an IOAS', () => {
    const { iommufd } = new MockHost();
    const ioas = iommufd.ioasAlloc();
    expect(iommufd.map(ioas, ARENA, PAGE, { flags: 8 })).toBe(EOPNOTSUPP);
    expect(iommufd.map(ioas, ARENA, PAGE, { reserved: 1 })).toBe(EOPNOTSUPP);
    expect(iommufd.map(ioas, ARENA, PAGE, { flags: 0 })).toBe(EINVAL);
    expect(iommufd.map(77, ARENA, PAGE)).toBe(ENOENT);
  });

  test('[iommu:252] wants an address that there is, and something to map', () => {
    const { iommufd } = new MockHost();
    const ioas = iommufd.ioasAlloc();
    expect(iommufd.map(ioas, ARENA, PAGE, { iova: ULONG_MAX })).toBe(EOVERFLOW);
    expect(iommufd.map(ioas, ARENA, ULONG_MAX)).toBe(EOVERFLOW);
    expect(iommufd.map(ioas, ULONG_MAX - 10n, PAGE)).toBe(EOVERFLOW);
    // Before anybody asks what for.
    expect(iommufd.map(ioas, ARENA, PAGE, { iova: ULONG_MAX, flags: 0 })).toBe(EOVERFLOW);
    expect(iommufd.map(ioas, ARENA, 0)).toBe(EINVAL);
  });

  test('[iommu:253] at a given place wants that free, but not allowed', () => {
    const mock = new MockHost();
    const { iommufd } = mock;
    const { ioas } = mock.ioas(1);
    iommufd.allowIovas(ioas, [[0x2000000, 0x2ffffff]]);
    expect(iommufd.map(ioas, ARENA, PAGE, { iova: MOCK_START })).toBe(BigInt(MOCK_START));
    expect(iommufd.map(ioas, ARENA, PAGE, { iova: MOCK_START })).toBe(EEXIST);
    expect(iommufd.map(ioas, ARENA, PAGE, { iova: 0 })).toBe(EINVAL);
  });

  test('[iommu:254] anywhere keeps the place in the page, and goes where it is allowed', () => {
    const { iommufd } = new MockHost();
    const ioas = iommufd.ioasAlloc();
    const anywhere = iommufd.map(ioas, ARENA + 0x123, PAGE) as bigint;
    expect(anywhere).toBeGreaterThan(0n);
    expect(anywhere % 4096n).toBe(0x123n);
    iommufd.allowIovas(ioas, [[0x5000000, 0x5ffffff]]);
    expect(iommufd.map(ioas, ARENA, PAGE)).toBe(0x5000000n);
  });

  test('[iommu:255] anywhere wants room', () => {
    const { iommufd } = new MockHost();
    const ioas = iommufd.ioasAlloc();
    iommufd.allowIovas(ioas, [[0x5000000, 0x5000fff]]);
    iommufd.map(ioas, ARENA, PAGE);
    expect(iommufd.map(ioas, ARENA, PAGE)).toBe(ENOSPC);
    expect(iommufd.map(ioas, 0, 2n ** 63n)).toBe(EOVERFLOW);
  });

  test('[iommu:256] looks at the memory only when a page table comes', () => {
    const mock = new MockHost();
    const ioas = mock.iommufd.ioasAlloc();
    expect(mock.iommufd.map(ioas, HOLE, PAGE, { iova: MOCK_START })).toBe(BigInt(MOCK_START));
    const device = mock.bound();
    expect(device.attach(ioas)).toBe(EFAULT);
    expect(device.device.iommuGroup!.domain.name).toBe('blocking');
    mock.iommufd.unmapAll(ioas);
    expect(device.attach(ioas)).toBeGreaterThan(0);
  });

  test('is as it was when a page table could not be filled', () => {
    const mock = new MockHost();
    mock.iommufd.option(0, 1);
    const ioas = mock.iommufd.ioasAlloc();
    mock.iommufd.map(ioas, ARENA, 4 * PAGE, { iova: MOCK_START });
    mock.iommufd.map(ioas, HOLE, PAGE, { iova: MOCK_START + 0x10000 });
    expect(mock.bound().attach(ioas)).toBe(EFAULT);
    expect(mock.host.process.lockedBytes).toBe(0);
    // The reach of the page table that did not come is no limit, and its pages are no granule.
    expect(mock.iommufd.iovaRanges(ioas, 1)).toMatchObject({ count: 1, alignment: 1n });
    expect(mock.iommufd.map(ioas, ARENA, 512, { iova: 0x1200 })).toBe(0x1200n);
  });

  test('is as it was when an emulated device could not join', () => {
    const mock = new MockHost();
    const ioas = mock.iommufd.ioasAlloc();
    expect(mock.iommufd.map(ioas, ARENA, 512, { iova: 0x1200 })).toBe(0x1200n);
    expect(access(mock, ioas).attached).toBe(EADDRINUSE);
    expect(mock.iommufd.iovaRanges(ioas, 1).alignment).toBe(1n);
    expect(mock.iommufd.map(ioas, ARENA, 512, { iova: 0x2200 })).toBe(0x2200n);
    // Who did not join has no say in what comes later, either.
    mock.iommufd.unmapAll(ioas);
    expect(mock.bound().attach(ioas)).toBeGreaterThan(0);
    expect(mock.iommufd.iovaRanges(ioas, 1).alignment).toBe(2048n);
  });

  test('[iommu:257] has no limit', () => {
    const { iommufd } = new MockHost();
    const ioas = iommufd.ioasAlloc();
    let mapped = 0;
    for (let i = 0; i < 70000; i += 1)
      if (typeof iommufd.map(ioas, ARENA, PAGE, { iova: i * PAGE }) === 'bigint') mapped += 1;
    expect(mapped).toBe(70000);
  });

  test('refuses a device’s memory', () => {
    const mock = new MockHost();
    mock.host.process.memory.map({ address: HOLE, size: PAGE, writable: true, deviceMemory: true });
    const { ioas } = mock.ioas(1);
    expect(mock.iommufd.map(ioas, HOLE, PAGE, { iova: MOCK_START })).toBe(EFAULT);
  });

  test('counts by user unless told, and by process if told before anything is there', () => {
    const locked = [0, 1].map((mode) => {
      const mock = new MockHost();
      mock.iommufd.option(0, mode);
      const { ioas } = mock.ioas(1);
      mock.iommufd.map(ioas, ARENA, 4 * PAGE, { iova: MOCK_START });
      return mock.host.process.lockedBytes;
    });
    expect(locked).toEqual([0, 4 * PAGE]);
  });

  test('has one limit for all processes of a user', () => {
    const mock = new MockHost();
    mock.host.process.credentials.memlock = 4 * PAGE;
    const { ioas } = mock.ioas(1);
    mock.iommufd.map(ioas, ARENA, 3 * PAGE, { iova: MOCK_START });
    const other = mock.host.newProcess();
    Object.assign(other.credentials, { ipcLock: false, memlock: 4 * PAGE });
    const second = new OpenIommufd(mock.host, other);
    const theirs = second.ioasAlloc();
    second.bind(mock.device()).attach(theirs);
    expect(second.map(theirs, ARENA, 2 * PAGE, { iova: MOCK_START })).toBe(ENOMEM);
    expect(second.map(theirs, ARENA, PAGE, { iova: MOCK_START })).toBe(BigInt(MOCK_START));
  });
});

describe('copying between IOASes', () => {
  test('[iommu:258] takes what is mapped, or part of it, with no more permission', () => {
    const { iommufd } = new MockHost();
    const [source, target] = [iommufd.ioasAlloc(), iommufd.ioasAlloc()];
    iommufd.map(source, ARENA, 4 * PAGE, { iova: 0x10000 });
    expect(iommufd.copy([source, 0x20000], [target, 0], PAGE)).toBe(ENOENT);
    expect(iommufd.copy([source, 0x12000], [target, 0x5000], 2 * PAGE)).toBe(0x5000n);
    iommufd.map(source, ARENA, PAGE, { iova: 0x30000, flags: 4 });
    expect(iommufd.copy([source, 0x30000], [target, 0x9000], PAGE)).toBe(EPERM);
    expect(iommufd.copy([source, 0x30000], [target, 0x9000], PAGE, 4)).toBe(0x9000n);
  });

  test('[iommu:259] pins and counts once, and needs the source no longer', () => {
    const mock = new MockHost();
    mock.iommufd.option(0, 1);
    const { ioas: source } = mock.ioas(1);
    const { ioas: target, devices } = mock.ioas(1);
    mock.iommufd.map(source, ARENA, 2 * PAGE, { iova: MOCK_START });
    mock.iommufd.copy([source, MOCK_START], [target, MOCK_START], 2 * PAGE);
    expect(mock.host.process.lockedBytes).toBe(2 * PAGE);
    mock.iommufd.unmap(source, MOCK_START, 2 * PAGE);
    expect(devices[0]!.dma.read(MOCK_START, new Uint8Array(4))).toBe(4);
    expect(mock.host.process.lockedBytes).toBe(2 * PAGE);
    mock.iommufd.unmapAll(target);
    expect(mock.host.process.lockedBytes).toBe(0);
  });

  test.each([
    ['unknown flags', [1, 0x10000], [1, 0], PAGE, 8, EOPNOTSUPP],
    ['no permission', [1, 0x10000], [1, 0], PAGE, 0, EINVAL],
    ['nothing', [1, 0x10000], [1, 0], 0, 6, EINVAL],
    ['an unknown source', [9, 0x10000], [1, 0], PAGE, 6, ENOENT],
    ['an unknown target', [1, 0x10000], [9, 0], PAGE, 6, ENOENT],
    ['a source that wraps', [1, 0xffff_ffff_ffff_f000n], [1, 0], 2 * PAGE, 6, EOVERFLOW],
    ['an address that is none', [1, ULONG_MAX], [1, 0], PAGE, 6, EOVERFLOW],
  ] as const)('refuses %s', (_title, from, to, length, flags, errno) => {
    const { iommufd } = new MockHost();
    iommufd.map(iommufd.ioasAlloc(), ARENA, PAGE, { iova: 0x10000 });
    expect(iommufd.copy(from, to, length, flags)).toBe(errno);
  });
});

describe('unmapping from an IOAS', () => {
  test('[iommu:260] finds something, unless it means everything', () => {
    const { iommufd } = new MockHost();
    const ioas = iommufd.ioasAlloc();
    expect(iommufd.unmap(ioas, 0x10000, PAGE)).toBe(ENOENT);
    expect(iommufd.unmapAll(ioas)).toBe(0n);
    expect(iommufd.unmap(9, 0, PAGE)).toBe(ENOENT);
  });

  test('[iommu:261] goes up to an area that is only partly meant, unless the quirk is off', () => {
    const left = [true, false].map((partialUnmapRemoves) => {
      const { iommufd } = new MockHost({
        parameters: { quirks: { ...KERNEL_QUIRKS, partialUnmapRemoves } },
      });
      const ioas = iommufd.ioasAlloc();
      iommufd.map(ioas, ARENA, 2 * PAGE, { iova: 0x10000 });
      iommufd.map(ioas, ARENA, 2 * PAGE, { iova: 0x12000 });
      expect(iommufd.unmap(ioas, 0x10000, PAGE)).toBe(ENOENT);
      expect(iommufd.unmap(ioas, 0x10000, 3 * PAGE)).toBe(ENOENT);
      return iommufd.unmapAll(ioas);
    });
    expect(left).toEqual([BigInt(2 * PAGE), BigInt(4 * PAGE)]);
  });

  test('[iommu:262] wants a range', () => {
    const { iommufd } = new MockHost();
    const ioas = iommufd.ioasAlloc();
    expect(iommufd.unmap(ioas, 0, 0)).toBe(EINVAL);
    expect(iommufd.unmap(ioas, 0xffff_ffff_ffff_f000n, 2 * PAGE)).toBe(EOVERFLOW);
    expect(iommufd.unmap(ioas, ULONG_MAX, PAGE)).toBe(EOVERFLOW);
  });

  test('[iommu:263] leaves what a hardware queue lies in', () => {
    const mock = new MockHost();
    const { iommufd } = mock;
    const ioas = iommufd.ioasAlloc();
    const device = mock.bound();
    const parent = iommufd.hwptAlloc(device.id, ioas, { flags: 1 });
    iommufd.map(ioas, ARENA, PAGE, { iova: MOCK_START });
    const viommu = iommufd.viommuAlloc(device.id, parent);
    const queue = iommufd.hwQueueAlloc(viommu, MOCK_START, PAGE);
    expect(iommufd.unmap(ioas, MOCK_START, PAGE)).toBe(EBUSY);
    iommufd.destroy(queue);
    expect(iommufd.unmap(ioas, MOCK_START, PAGE)).toBe(BigInt(PAGE));
  });
});

describe('ranges of an IOAS', () => {
  test('[iommu:264] are told as far as there is room, and how many there are', () => {
    const mock = new MockHost();
    const fresh = mock.iommufd.ioasAlloc();
    expect(mock.iommufd.iovaRanges(fresh, 1)).toEqual({
      ret: 0,
      count: 1,
      ranges: [[0n, ULONG_MAX]],
      alignment: 1n,
    });
    const { ioas } = mock.ioas(1);
    expect(mock.iommufd.iovaRanges(ioas, 0)).toMatchObject({ ret: EMSGSIZE, count: 1 });
    expect(mock.iommufd.iovaRanges(ioas, 4)).toMatchObject({
      ranges: [[BigInt(MOCK_START), BigInt(MOCK_LAST)]],
      alignment: 2048n,
    });
    expect(mock.iommufd.iovaRanges(ioas, 4, 1).ret).toBe(EOPNOTSUPP);
    expect(mock.iommufd.iovaRanges(99, 4).ret).toBe(ENOENT);
  });

  test('[iommu:265] that are allowed make sense, and can be used', () => {
    const mock = new MockHost();
    const { iommufd } = mock;
    const { ioas } = mock.ioas(1);
    expect(iommufd.allowIovas(ioas, [[0x2000000, 0x2000000]])).toBe(EINVAL);
    expect(
      iommufd.allowIovas(ioas, [
        [0x2000000, 0x2ffffff],
        [0x2fff000, 0x3ffffff],
      ]),
    ).toBe(EINVAL);
    expect(iommufd.allowIovas(ioas, [[0x2000000, 0x2ffffff]])).toBe(0);
    expect(iommufd.allowIovas(ioas, [[0, 0x1000]])).toBe(EADDRINUSE);
    expect(iommufd.map(ioas, ARENA, PAGE)).toBe(0x2000000n);
    expect(iommufd.allowIovas(ioas, [])).toBe(0);
    expect(iommufd.map(ioas, ARENA, PAGE)).toBe(BigInt(MOCK_START));
  });

  test('[iommu:266] that a device cannot use keep it from what is mapped or allowed there', () => {
    const mock = new MockHost();
    const reserved = [{ start: 0x2000000n, end: 0x2ffffffn, type: 'direct' }] as const;
    const { ioas } = mock.ioas();
    mock.iommufd.map(ioas, ARENA, PAGE, { iova: 0x2000000 });
    const device = mock.bound({}, { reserved });
    expect(device.attach(ioas)).toBe(EADDRINUSE);
    mock.iommufd.unmapAll(ioas);
    mock.iommufd.allowIovas(ioas, [[0x2f00000, 0x3ffffff]]);
    expect(device.attach(ioas)).toBe(EADDRINUSE);
    mock.iommufd.allowIovas(ioas, []);
    expect(device.attach(ioas)).toBeGreaterThan(0);
    expect(mock.iommufd.iovaRanges(ioas, 0).count).toBe(2);
  });
});
