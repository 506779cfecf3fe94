// Cases of tools/testing/selftests/iommu/iommufd.c, by their names: what each asserts, in our own words and calls.
import { describe, expect, test } from 'vitest';
import {
  EADDRINUSE,
  EBUSY,
  EEXIST,
  EFAULT,
  EINVAL,
  EMSGSIZE,
  ENOENT,
  ENOSPC,
  EOPNOTSUPP,
} from '../support/errno.js';
import { ARENA, HOLE, le } from '../support/host.js';
import {
  IOAS_VARIANTS,
  ioasVariant,
  MOCK_LAST,
  MOCK_PAGE,
  MOCK_START,
  SCRATCH,
} from '../support/iommufd.js';

const PAGE = 4096;

describe.each(IOAS_VARIANTS)('iommufd_ioas (%s)', (_name, domains, memlock) => {
  const ready = () => ioasVariant(domains, memlock);
  const { base } = ready();

  test('ioas_auto_destroy: an IOAS goes with its file', () => {
    const { mock, devices } = ready();
    for (const device of devices) device.close();
    mock.host.process.fds.close(mock.iommufd.fd);
    expect(mock.host.process.lockedBytes).toBe(0);
  });

  test('ioas_destroy: an IOAS is busy while devices are attached', () => {
    const { iommufd, ioas, devices } = ready();
    expect(iommufd.destroy(ioas)).toBe(domains > 0 ? EBUSY : 0);
    for (const device of devices) device.detach();
    expect(iommufd.destroy(ioas)).toBe(domains > 0 ? 0 : ENOENT);
  });

  test('alloc_hwpt_nested: a guest’s table wants a nest parent, and stays until it is unused', () => {
    const { mock, iommufd, ioas } = ready();
    const device = mock.bound();
    const fault = iommufd.faultQueueAlloc();
    expect(iommufd.nested(device.id, 99, 0)).toBe(EINVAL);
    expect(iommufd.hwptAlloc(device.id, ioas, { flags: 1 | 4, fault: fault.id })).toBe(EOPNOTSUPP);
    const parent = iommufd.hwptAlloc(device.id, ioas, { flags: 1 });
    const plain = iommufd.hwptAlloc(device.id, ioas);
    expect(
      iommufd.hwptAlloc(device.id, parent, { flags: 1, type: 1, length: 24, data: SCRATCH }),
    ).toBe(EOPNOTSUPP);
    expect(iommufd.nested(device.id, plain, 0)).toBe(EINVAL);
    expect(iommufd.hwptAlloc(device.id, parent, { type: 77, length: 24, data: SCRATCH })).toBe(
      EINVAL,
    );
    expect(iommufd.hwptAlloc(device.id, parent, { type: 1, length: 24, data: HOLE })).toBe(EFAULT);
    expect(iommufd.nested(device.id, parent, 0, 4, 99)).toBe(ENOENT);
    const nested = iommufd.nested(device.id, parent, 0);
    const withFaults = iommufd.nested(device.id, parent, 0, 4, fault.id);
    expect(iommufd.nested(device.id, nested, 0)).toBe(EINVAL);
    expect([iommufd.destroy(parent), iommufd.destroy(fault.id)]).toEqual([EBUSY, EBUSY]);
    expect(device.attach(nested)).toBe(nested);
    expect(iommufd.destroy(nested)).toBe(EBUSY);
    expect(device.attach(parent)).toBe(parent);
    expect([
      iommufd.destroy(nested),
      iommufd.destroy(withFaults),
      iommufd.destroy(fault.id),
    ]).toEqual([0, 0, EBUSY]);
    mock.host.process.fds.close(fault.fd);
    expect(iommufd.destroy(fault.id)).toBe(0);
    const entry = le(24, [0, 8, 0], [8, 8, 1]);
    const again = iommufd.nested(device.id, parent, 0);
    expect(iommufd.invalidate(again, entry, { type: 77 })).toEqual([EINVAL, 0]);
    expect(iommufd.invalidate(again, entry, { length: 8 })).toEqual([EINVAL, 0]);
    expect(iommufd.invalidate(again, le(24, [16, 4, 8]))).toEqual([EOPNOTSUPP, 0]);
    const two = new Uint8Array([...entry, ...le(24, [0, 8, 0x123])]);
    expect(iommufd.invalidate(again, two)).toEqual([EINVAL, 1]);
  });

  test('hwpt_attach: a page table is busy while devices use it', () => {
    const { mock, iommufd, ioas } = ready();
    const device = mock.bound();
    const hwpt = iommufd.hwptAlloc(device.id, ioas);
    expect(device.attach(hwpt)).toBe(hwpt);
    expect(device.attach(hwpt)).toBe(hwpt);
    expect(iommufd.destroy(hwpt)).toBe(EBUSY);
    device.detach();
    expect(iommufd.destroy(hwpt)).toBe(0);
  });

  test('ioas_area_destroy, ioas_area_auto_destroy: areas go with their IOAS, or with the file', () => {
    const { mock, iommufd, ioas, devices } = ready();
    for (let i = 0; i < 10; i += 1) iommufd.map(ioas, ARENA, PAGE, { iova: base + i * PAGE });
    expect(iommufd.destroy(ioas)).toBe(domains > 0 ? EBUSY : 0);
    for (const device of devices) device.close();
    mock.host.process.fds.close(iommufd.fd);
    expect(mock.host.process.lockedBytes).toBe(0);
  });

  test('get_hw_info: exact, short, long and no buffers, and a type that is asked for', () => {
    const { mock, iommufd } = ready();
    const device = mock.bound();
    const read = (length: number) => [...mock.host.process.memory.read(SCRATCH, length)!];
    const exact = iommufd.hwInfo(device.id);
    expect(exact).toEqual({ ret: 0, length: 24, type: 1, pasid: 20, capabilities: 1n });
    expect(read(24)).toEqual(Array.from({ length: 24 }, (_, i) => i + 1));
    mock.host.process.memory.write(SCRATCH, new Uint8Array(64).fill(0xaa));
    expect(iommufd.hwInfo(device.id, { length: 4 }).length).toBe(24);
    expect(read(5)).toEqual([1, 2, 3, 4, 0xaa]);
    expect(iommufd.hwInfo(device.id, { length: 40 }).length).toBe(24);
    expect(read(40).slice(24)).toEqual(Array(16).fill(0));
    expect(iommufd.hwInfo(device.id, { length: 0, data: 0 }).ret).toBe(0);
    expect(iommufd.hwInfo(device.id, { data: HOLE }).ret).toBe(EFAULT);
    expect(iommufd.hwInfo(device.id, { flags: 1, type: 1 }).ret).toBe(0);
    expect(iommufd.hwInfo(device.id, { flags: 1, type: 9 }).ret).toBe(EOPNOTSUPP);
    expect(iommufd.hwInfo(device.id, { flags: 2 }).ret).toBe(EOPNOTSUPP);
    expect(iommufd.hwInfo(99).ret).toBe(ENOENT);
    const bare = mock.bound({
      info: { type: 0, data: new Uint8Array(0) },
      dirtyTracking: false,
      pasidBits: 0,
    });
    expect(iommufd.hwInfo(bare.id)).toEqual({
      ret: 0,
      length: 0,
      type: 0,
      pasid: 0,
      capabilities: 0n,
    });
  });

  test('area: neighbours, overlaps, and parts', () => {
    const { iommufd, ioas } = ready();
    for (let i = 0; i < 10; i += 1)
      expect(iommufd.map(ioas, ARENA, PAGE, { iova: base + i * PAGE })).toBe(
        BigInt(base + i * PAGE),
      );
    for (let i = 0; i < 10; i += 1) {
      expect(iommufd.map(ioas, ARENA, PAGE, { iova: base + i * PAGE })).toBe(EEXIST);
      expect(iommufd.map(ioas, ARENA, PAGE, { iova: base + i * PAGE + MOCK_PAGE })).toBe(EEXIST);
    }
    expect(iommufd.unmap(ioas, base, MOCK_PAGE)).toBe(ENOENT);
    for (let i = 0; i < 10; i += 1)
      expect(iommufd.unmap(ioas, base + i * PAGE, PAGE)).toBe(BigInt(PAGE));
    expect(iommufd.unmap(ioas, base, PAGE)).toBe(ENOENT);
  });

  test('unmap_fully_contained_areas: one unmap takes all that lies in it', () => {
    const { iommufd, ioas } = ready();
    for (let i = 0; i < 4; i += 1)
      iommufd.map(ioas, ARENA, PAGE, { iova: base + (1 + i * 2) * PAGE });
    expect(iommufd.unmap(ioas, base + PAGE, 7 * PAGE)).toBe(BigInt(4 * PAGE));
    expect(iommufd.unmapAll(ioas)).toBe(0n);
  });

  test('area_auto_iova: places are aligned as the length and the memory ask for, and allowed ones are used up', () => {
    const { iommufd, ioas } = ready();
    const places: { at: number; length: number }[] = [];
    for (let i = 0; i < 6; i += 1) {
      const length = PAGE * (i + 1);
      const at = Number(iommufd.map(ioas, ARENA, Math.min(length, 2 * PAGE)));
      places.push({ at, length: Math.min(length, 2 * PAGE) });
      expect(at % PAGE).toBe(0);
    }
    for (const { at, length } of places) {
      const others = places.filter((other) => other.at !== at);
      expect(others.some((other) => at < other.at + other.length && other.at < at + length)).toBe(
        false,
      );
      expect(iommufd.unmap(ioas, at, length)).toBe(BigInt(length));
    }
    const start = 0x2000000;
    iommufd.allowIovas(ioas, [[start, start + 2 * PAGE - 1]]);
    expect(iommufd.map(ioas, ARENA, PAGE)).toBe(BigInt(start));
    expect(iommufd.map(ioas, ARENA, PAGE)).toBe(BigInt(start + PAGE));
    expect(iommufd.map(ioas, ARENA, PAGE)).toBe(ENOSPC);
  });

  test('area_allowed: what is allowed and what is reserved exclude each other, in both orders', () => {
    const { mock, iommufd, ioas } = ready();
    const reserved = [{ start: 0x3000000n, end: 0x3ffffffn, type: 'reserved' }] as const;
    expect(iommufd.allowIovas(ioas, [[0x3800000, 0x4ffffff]])).toBe(0);
    const device = mock.bound({}, { reserved });
    expect(device.attach(ioas)).toBe(EADDRINUSE);
    expect(iommufd.allowIovas(ioas, [])).toBe(0);
    expect(device.attach(ioas)).toBeGreaterThan(0);
    expect(iommufd.allowIovas(ioas, [[0x3800000, 0x4ffffff]])).toBe(EADDRINUSE);
    expect(iommufd.allowIovas(ioas, [[0x5000000, 0x4ffffff]])).toBe(EINVAL);
  });

  test('reserved_overflow: what cannot be used at the end of the space does not wrap', () => {
    const { mock, iommufd } = ready();
    const fresh = iommufd.ioasAlloc();
    iommufd.map(fresh, ARENA, PAGE, { iova: 0xffff_ffff_ffff_e000n });
    const device = mock.bound();
    expect(device.attach(fresh)).toBe(EADDRINUSE);
  });

  test('area_allow_iovas, iova_ranges: ranges, however much room there is for them', () => {
    const { iommufd, ioas } = ready();
    expect(iommufd.iovaRanges(ioas, 0)).toMatchObject({ ret: EMSGSIZE, count: 1 });
    const whole = domains > 0 ? [BigInt(MOCK_START), BigInt(MOCK_LAST)] : [0n, 2n ** 64n - 1n];
    expect(iommufd.iovaRanges(ioas, 1)).toMatchObject({ ret: 0, ranges: [whole] });
    expect(iommufd.iovaRanges(ioas, 10)).toMatchObject({ ret: 0, count: 1 });
  });
});
