import { describe, expect, test } from 'vitest';
import { EFAULT, EINVAL, ENOENT, EOPNOTSUPP } from '../support/errno.js';
import { ARENA, le } from '../support/host.js';
import { MockHost } from '../support/iommufd.js';

const PAGE = 4096;

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
    // Where the guest's table leads beyond the guest's memory there is nothing.
    entries.setBigUint64(4 * PAGE + 7 * 8, 0x40000003n, true);
    expect([device.dma.translate(7 * PAGE, 1), device.dma.read(7 * PAGE, byte)]).toEqual([
      undefined,
      EFAULT,
    ]);
  });
});
