import { KERNEL_QUIRKS } from '@vfiokit/iommu';
import { describe, expect, test } from 'vitest';
import {
  E2BIG,
  EACCES,
  EADDRINUSE,
  EBADF,
  EBADFD,
  EBUSY,
  EEXIST,
  EFAULT,
  EINVAL,
  EMSGSIZE,
  ENOENT,
  ENOMEM,
  ENOSPC,
  ENOTTY,
  EOPNOTSUPP,
  EOVERFLOW,
  EPERM,
} from '../support/errno.js';
import { ARENA, HOLE, le, OtherFile, StubDevice } from '../support/host.js';
import {
  BoundDevice,
  MOCK_LAST,
  MOCK_START,
  MockHost,
  OpenIommufd,
  SCRATCH,
} from '../support/iommufd.js';

const ULONG_MAX = 2n ** 64n - 1n;
const PAGE = 4096;

describe('commands of /dev/iommu', () => {
  test('[iommu:246] grow with zeroes only', () => {
    const { iommufd } = new MockHost();
    const alloc = (size: number, bytes: number, tail: number) => {
      const argument = le(bytes, [0, 4, size]);
      if (bytes > 12) argument[bytes - 1] = tail;
      return iommufd.file.ioctl(0x3b81, argument, iommufd.process);
    };
    expect([alloc(4, 12, 0), alloc(20, 20, 0), alloc(20, 20, 1)]).toEqual([EINVAL, 0, E2BIG]);
    expect(iommufd.file.ioctl(0x3b81, undefined, iommufd.process)).toBe(EFAULT);
  });

  test('[iommu:247] know no flags but their own', () => {
    expect(new MockHost().iommufd.ioasAlloc(1)).toBe(EOPNOTSUPP);
  });

  test('[iommu:248] end at 0x94', () => {
    expect(new MockHost().iommufd.call(0x3b95, 8).ret).toBe(ENOTTY);
  });

  test('[iommu:249] destroy what is there and what nobody needs', () => {
    const mock = new MockHost();
    const { ioas, devices } = mock.ioas(1);
    expect([mock.iommufd.destroy(0), mock.iommufd.destroy(99)]).toEqual([ENOENT, ENOENT]);
    expect(mock.iommufd.destroy(ioas)).toBe(EBUSY);
    expect(mock.iommufd.destroy(devices[0]!.id)).toBe(EBUSY);
    devices[0]!.close();
    expect(mock.iommufd.destroy(ioas)).toBe(0);
  });

  test('[iommu:250] number objects from 1', () => {
    expect(new MockHost().iommufd.ioasAlloc()).toBe(1);
  });
});

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

describe('options', () => {
  test('[iommu:267] of counting are for who may, before there is anything', () => {
    const { iommufd, host } = new MockHost();
    host.process.credentials.sysResource = false;
    expect(iommufd.option(0, 1)).toBe(EPERM);
    host.process.credentials.sysResource = true;
    expect([iommufd.option(0, 2), iommufd.option(0, 1, 1)]).toEqual([EINVAL, EOPNOTSUPP]);
    expect([iommufd.option(0, 1), iommufd.option(0, 'get')]).toEqual([0, 1n]);
    iommufd.ioasAlloc();
    expect(iommufd.option(0, 0)).toBe(EBUSY);
  });

  test('[iommu:268] of large pages are for an IOAS that has not both page tables and areas', () => {
    const mock = new MockHost();
    const { iommufd } = mock;
    const { ioas } = mock.ioas(1);
    expect(iommufd.option(1, 'get', ioas)).toBe(1n);
    iommufd.map(ioas, ARENA, PAGE, { iova: MOCK_START });
    expect([iommufd.option(1, 0, ioas), iommufd.option(1, 2, ioas)]).toEqual([EINVAL, EINVAL]);
    iommufd.unmapAll(ioas);
    expect(iommufd.option(1, 0, ioas)).toBe(0);
    expect(iommufd.iovaRanges(ioas, 1).alignment).toBe(4096n);
    expect(iommufd.option(1, 'get', 99)).toBe(ENOENT);
    expect(iommufd.option(7, 'get')).toBe(EOPNOTSUPP);
  });
});

describe('attaching devices', () => {
  test('[iommu:270] to an IOAS makes a page table, which alike devices share', () => {
    const mock = new MockHost();
    const ioas = mock.iommufd.ioasAlloc();
    const [one, two, other] = [mock.bound(), mock.bound(), mock.bound({ driver: 'other' })];
    const hwpt = one.attach(ioas);
    expect(hwpt).toBeGreaterThan(0);
    expect(two.attach(ioas)).toBe(hwpt);
    expect(other.attach(ioas)).not.toBe(hwpt);
  });

  test('[iommu:271] makes page tables that go with the last one; others stay', () => {
    const mock = new MockHost();
    const ioas = mock.iommufd.ioasAlloc();
    const device = mock.bound();
    const automatic = device.attach(ioas);
    device.detach();
    expect(mock.iommufd.destroy(automatic)).toBe(ENOENT);
    const manual = mock.iommufd.hwptAlloc(device.id, ioas);
    device.attach(manual);
    device.detach();
    expect(mock.iommufd.destroy(manual)).toBe(0);
  });

  test('[iommu:272] of a group all go to the same page table', () => {
    const mock = new MockHost();
    const first = mock.device();
    const sibling = new StubDevice('0000:00:10.1', first.iommuGroup);
    mock.host.groups.register(sibling);
    const [one, two] = [mock.iommufd.bind(first), mock.iommufd.bind(sibling)];
    const [ioas, other] = [mock.iommufd.ioasAlloc(), mock.iommufd.ioasAlloc()];
    const hwpt = one.attach(ioas);
    expect(two.attach(mock.iommufd.hwptAlloc(two.id, other))).toBe(EINVAL);
    expect(two.attach(other)).toBe(EINVAL);
    expect(two.attach(ioas)).toBe(hwpt);
    // One of them moves, and both are elsewhere.
    expect(one.attach(other)).not.toBe(hwpt);
    expect(two.attach(ioas)).toBeGreaterThan(0);
  });

  test('[iommu:273] elsewhere fails with the old place kept', () => {
    const mock = new MockHost();
    const [good, bad] = [mock.iommufd.ioasAlloc(), mock.iommufd.ioasAlloc()];
    mock.iommufd.map(good, ARENA, PAGE, { iova: MOCK_START });
    mock.iommufd.map(bad, HOLE, PAGE, { iova: MOCK_START });
    const device = mock.bound();
    device.attach(good);
    expect(device.attach(bad)).toBe(EFAULT);
    expect(device.dma.read(MOCK_START, new Uint8Array(4))).toBe(4);
  });

  test('that ignore no-snoop and devices that do not need two page tables', () => {
    const mock = new MockHost();
    const ioas = mock.iommufd.ioasAlloc();
    const strict = mock.bound().attach(ioas);
    const loose = mock.bound({ enforcesCacheCoherency: false }).attach(ioas);
    expect(loose).not.toBe(strict);
    const [late, again] = [mock.iommufd.ioasAlloc(), mock.bound({ enforcesCacheCoherency: false })];
    const shared = again.attach(late);
    expect(mock.bound().attach(late)).toBe(shared);
  });

  test('carries requests with a PASID elsewhere', () => {
    const mock = new MockHost();
    const device = mock.device();
    Object.assign(device, { supportsPasid: true });
    const bound = mock.iommufd.bind(device);
    const [ioas, other] = [mock.iommufd.ioasAlloc(), mock.iommufd.ioasAlloc()];
    const plain = mock.iommufd.hwptAlloc(bound.id, ioas);
    const forPasid = mock.iommufd.hwptAlloc(bound.id, other, { flags: 8 });
    expect(bound.attach(plain, 5)).toBe(EINVAL);
    expect(bound.attach(forPasid, 5)).toBe(forPasid);
    expect(bound.attach(plain)).toBe(EINVAL);
    expect(device.iommuGroup!.pasidDomain(5)!.name).toBe(`hwpt ${forPasid}`);
    expect(bound.attach(forPasid, 2 ** 20)).toBe(EINVAL);
    expect(bound.detach(5)).toBe(0);
    expect(device.iommuGroup!.pasidDomain(5)).toBeUndefined();
    expect(bound.attach(plain)).toBe(plain);
  });
});

describe('allocating page tables', () => {
  test('[iommu:274] wants data where there is a type, an object to work on, and a device', () => {
    const mock = new MockHost();
    const ioas = mock.iommufd.ioasAlloc();
    const device = mock.bound();
    expect(mock.iommufd.hwptAlloc(device.id, ioas, { length: 8 })).toBe(EINVAL);
    expect(mock.iommufd.hwptAlloc(device.id, ioas, { type: 1 })).toBe(EINVAL);
    expect(mock.iommufd.hwptAlloc(device.id, 99)).toBe(EINVAL);
    expect(mock.iommufd.hwptAlloc(99, ioas)).toBe(ENOENT);
  });

  test('[iommu:275] of guests goes on nest parents, without faults; dirty tracking is hardware’s', () => {
    const mock = new MockHost();
    const ioas = mock.iommufd.ioasAlloc();
    const device = mock.bound();
    const automatic = device.attach(ioas);
    expect(mock.iommufd.nested(device.id, automatic, 0)).toBe(EINVAL);
    const { id: fault } = mock.iommufd.faultQueueAlloc();
    expect(mock.iommufd.hwptAlloc(device.id, ioas, { flags: 1 | 4, fault })).toBe(EOPNOTSUPP);
    const simple = mock.bound({ dirtyTracking: false });
    expect(mock.iommufd.hwptAlloc(simple.id, ioas, { flags: 2 })).toBe(EOPNOTSUPP);
    expect(mock.iommufd.hwptAlloc(device.id, ioas, { flags: 2 })).toBeGreaterThan(0);
    expect(mock.iommufd.hwptAlloc(device.id, ioas, { flags: 16 })).toBe(EOPNOTSUPP);
    expect(mock.iommufd.hwptAlloc(device.id, ioas, { flags: 4, fault: 99 })).toBe(ENOENT);
  });

  test('[iommu:276] of guests is what can be invalidated', () => {
    const mock = new MockHost();
    const ioas = mock.iommufd.ioasAlloc();
    const device = mock.bound();
    const parent = mock.iommufd.hwptAlloc(device.id, ioas, { flags: 1 });
    const nested = mock.iommufd.nested(device.id, parent, 0x10000000);
    const entry = le(24, [0, 8, 0], [8, 8, -1]);
    expect(mock.iommufd.invalidate(parent, entry)).toEqual([EINVAL, 0]);
    expect(mock.iommufd.invalidate(nested, entry)).toEqual([0, 1]);
    expect(mock.iommufd.invalidate(nested, entry, { count: 0 })).toEqual([0, 0]);
    expect(mock.iommufd.invalidate(nested, entry, { count: (1 << 19) + 1 })).toEqual([EINVAL, 0]);
    expect(mock.iommufd.invalidate(nested, entry, { length: 0 })).toEqual([EINVAL, 0]);
    expect(mock.iommufd.invalidate(nested, entry, { data: 0 })).toEqual([EINVAL, 0]);
    expect(mock.iommufd.invalidate(99, entry)).toEqual([ENOENT, 0]);
  });

  test('of guests translates through both tables, and remembers until it is told', () => {
    const mock = new MockHost();
    const ioas = mock.iommufd.ioasAlloc();
    const device = mock.bound({ aperture: { start: 0, end: 2 ** 48 } });
    mock.iommufd.map(ioas, ARENA, 0x100000, { iova: 0 });
    const parent = mock.iommufd.hwptAlloc(device.id, ioas, { flags: 1 });
    const entries = new DataView(mock.host.arena.buffer);
    // Four levels at guest pages 1 to 4; the leaf leads to guest page 8, first for reading only.
    for (let level = 1; level < 4; level += 1)
      entries.setBigUint64(level * PAGE, BigInt((level + 1) * PAGE) | 3n, true);
    entries.setBigUint64(4 * PAGE + 5 * 8, BigInt(8 * PAGE) | 1n, true);
    mock.host.arena[8 * PAGE + 0x10] = 42;
    expect(device.attach(mock.iommufd.nested(device.id, parent, PAGE))).toBeGreaterThan(0);
    const byte = new Uint8Array(1);
    expect(device.dma.read(5 * PAGE + 0x10, byte)).toBe(1);
    expect(byte[0]).toBe(42);
    expect(device.dma.write(5 * PAGE, byte)).toBe(EFAULT);
    expect(device.dma.read(6 * PAGE, byte)).toBe(EFAULT);
    entries.setBigUint64(4 * PAGE + 5 * 8, BigInt(9 * PAGE) | 3n, true);
    mock.host.arena[9 * PAGE + 0x10] = 43;
    device.dma.read(5 * PAGE + 0x10, byte);
    expect(byte[0]).toBe(42);
    const hwpt = Number(device.device.iommuGroup!.domain.name.split(' ')[1]);
    expect(mock.iommufd.invalidate(hwpt, le(24, [0, 8, 5 * PAGE], [8, 8, 1]))).toEqual([0, 1]);
    device.dma.read(5 * PAGE + 0x10, byte);
    expect(byte[0]).toBe(43);
    expect(device.dma.write(5 * PAGE, byte)).toBe(1);
  });
});

describe('processes', () => {
  test('[iommu:269] can be changed if all that is mapped is files', () => {
    const mock = new MockHost();
    mock.iommufd.option(0, 1);
    const { ioas } = mock.ioas(1);
    const file = mock.host.fd(mock.memFile(4 * PAGE));
    mock.iommufd.mapFile(ioas, file, 0, 4 * PAGE, MOCK_START);
    mock.iommufd.map(ioas, ARENA, PAGE, { iova: 0x2000000 });
    const heir = mock.host.newProcess();
    Object.assign(heir.credentials, { ipcLock: false, memlock: 3 * PAGE });
    expect(mock.iommufd.changeProcess(heir)).toBe(EINVAL);
    mock.iommufd.unmap(ioas, 0x2000000, PAGE);
    expect(mock.iommufd.changeProcess(heir)).toBe(ENOMEM);
    expect([mock.host.process.lockedBytes, heir.lockedBytes]).toEqual([4 * PAGE, 0]);
    heir.credentials.memlock = 4 * PAGE;
    expect(mock.iommufd.changeProcess(heir)).toBe(0);
    expect([mock.host.process.lockedBytes, heir.lockedBytes]).toEqual([0, 4 * PAGE]);
    expect(mock.iommufd.changeProcess(heir, 1)).toBe(EOPNOTSUPP);
  });
});

describe('a device’s own node', () => {
  test('[iommu:277] answers nothing before it is bound, is bound once, and not beside its group', () => {
    const mock = new MockHost();
    const device = mock.device();
    const file = mock.host.groups.deviceNode(0).open();
    const { process } = mock.host;
    expect([0x3b6b, 0x3b77, 0x3b78].map((command) => file.ioctl(command, le(64), process))).toEqual(
      Array(3).fill(EINVAL),
    );
    expect([
      file.read(0, 0, 4),
      file.pread(new Uint8Array(4), 0),
      file.mmap({ position: 0, length: 1, shared: true }),
    ]).toEqual(Array(3).fill(EINVAL));
    const bind = () => file.ioctl(0x3b76, le(24, [0, 4, 24], [8, 4, mock.iommufd.fd]), process);
    const group = mock.host.openGroup(device);
    expect(bind()).toBe(EBUSY);
    group.close();
    expect([bind(), bind()]).toEqual([0, EINVAL]);
    expect(file.read(0, 0, 4)).toBe(0);
  });

  test('[iommu:278] wants an iommufd', () => {
    const mock = new MockHost();
    mock.device();
    const file = mock.host.groups.deviceNode(0).open();
    const bind = (fd: number, argsz = 24, bytes = 24, tail = 0) => {
      const argument = le(bytes, [0, 4, argsz], [8, 4, fd >>> 0]);
      if (tail) argument[bytes - 1] = tail;
      return file.ioctl(0x3b76, argument, mock.host.process);
    };
    expect(bind(-1)).toBe(EINVAL);
    expect(bind(900)).toBe(EBADF);
    expect(bind(mock.host.fd(new OtherFile()))).toBe(EBADFD);
    expect(bind(mock.iommufd.fd, 15)).toBe(EINVAL);
    expect(bind(mock.iommufd.fd, 32, 32, 1)).toBe(E2BIG);
    expect(bind(mock.iommufd.fd, 16)).toBe(0);
  });

  test('asks for a token where the device has them', () => {
    const mock = new MockHost();
    const device = mock.device();
    device.matchToken = (token) => (token?.[0] === 0xaa ? 0 : EACCES);
    const file = mock.host.groups.deviceNode(0).open();
    mock.host.process.memory.write(SCRATCH, new Uint8Array(16).fill(0xaa));
    const bind = (flags: number, pointer: number) =>
      file.ioctl(
        0x3b76,
        le(24, [0, 4, 24], [4, 4, flags], [8, 4, mock.iommufd.fd], [16, 8, pointer]),
        mock.host.process,
      );
    expect([bind(0, 0), bind(1, HOLE), bind(2, 0), bind(1, SCRATCH)]).toEqual([
      EACCES,
      EFAULT,
      EINVAL,
      0,
    ]);
    const plain = mock.device();
    const other = mock.host.groups.deviceNodes.find((node) => node.device === plain)!.open();
    expect(
      other.ioctl(
        0x3b76,
        le(24, [0, 4, 24], [4, 4, 1], [8, 4, mock.iommufd.fd]),
        mock.host.process,
      ),
    ).toBe(EINVAL);
  });

  test('[iommu:279] is another way than the group: a descriptor from there cannot be bound', () => {
    const mock = new MockHost();
    const device = mock.host.device();
    const container = mock.host.ready(3, device);
    const file = container.group(device).getDevice(device.name, mock.host.process);
    expect(file.ioctl(0x3b76, le(24, [0, 4, 24], [8, 4, mock.iommufd.fd]), mock.host.process)).toBe(
      EINVAL,
    );
    expect(file.ioctl(0x3b77, le(16, [0, 4, 16]), mock.host.process)).toBe(ENOTTY);
  });

  test('[iommu:280] attaches to what there is, again elsewhere, and detaches as often as one likes', () => {
    const mock = new MockHost();
    const device = mock.bound();
    const [one, two] = [mock.iommufd.ioasAlloc(), mock.iommufd.ioasAlloc()];
    expect(device.attach(99)).toBe(ENOENT);
    expect(device.attach(device.id)).toBe(EINVAL);
    const hwpt = device.attach(one);
    expect(device.attach(two)).not.toBe(hwpt);
    expect([device.detach(), device.detach()]).toEqual([0, 0]);
    expect(device.attach(one, 1)).toBe(EOPNOTSUPP);
    expect(device.ioctl(0x3b77, le(16, [0, 4, 11]))).toBe(EINVAL);
    expect(device.ioctl(0x3b77, le(16, [0, 4, 12], [4, 4, 2]))).toBe(EINVAL);
    expect(device.ioctl(0x3b78, le(12, [0, 4, 7]))).toBe(EINVAL);
  });

  test('[iommu:281] of a group’s member wants the iommufd of the others', () => {
    const mock = new MockHost();
    const first = mock.device();
    const sibling = new StubDevice('0000:00:10.1', first.iommuGroup);
    mock.host.groups.register(sibling);
    expect(mock.iommufd.bind(first).ret).toBe(0);
    expect(new OpenIommufd(mock.host).bind(sibling).ret).toBe(EPERM);
    const bound = mock.iommufd.bind(sibling);
    expect(bound.ret).toBe(0);
    expect(mock.iommufd.file.sharesGroup(sibling)).toBe(true);
    expect(sibling.door!.devid!(sibling)).toBe(bound.id);
    expect(sibling.door!.devid!(mock.device())).toBeUndefined();
  });

  test('wants isolated interrupts, or a host that insists', () => {
    const mock = new MockHost();
    const device = mock.device({ isolatedMsi: false });
    expect(mock.iommufd.bind(device).ret).toBe(EPERM);
    mock.host.parameters.iommufdAllowUnsafeInterrupts = true;
    expect(mock.iommufd.bind(device)).toBeInstanceOf(BoundDevice);
  });

  test('keeps everything alive that its iommufd has', () => {
    const mock = new MockHost();
    const { ioas, devices } = mock.ioas(1);
    mock.iommufd.map(ioas, ARENA, PAGE, { iova: MOCK_START });
    mock.host.process.fds.close(mock.iommufd.fd);
    expect(devices[0]!.dma.read(MOCK_START, new Uint8Array(1))).toBe(1);
    devices[0]!.close();
    expect(devices[0]!.device.iommuGroup!.domain.name).toBe('identity');
  });
});
