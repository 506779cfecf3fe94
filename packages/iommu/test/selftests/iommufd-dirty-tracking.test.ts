// Cases of tools/testing/selftests/iommu/iommufd.c, by their names: what each asserts, in our own words and calls.
import { describe, expect, test } from 'vitest';
import { EINVAL, ENOENT, EOPNOTSUPP, EOVERFLOW } from '../support/errno.js';
import { HOLE } from '../support/host.js';
import { MOCK_PAGE, MOCK_START, MockHost, SCRATCH } from '../support/iommufd.js';

const PAGE = 4096;

describe.each([
  [8, true],
  [8, false],
  [64, true],
  [128, false],
  [512, true],
  [1024, true],
  [8192, false],
  [65536, true],
  [131072, false],
] as const)('iommufd_dirty_tracking (%i KiB, large pages: %s)', (kib, hugePages) => {
  const size = kib * 1024;
  const ready = () => {
    const mock = new MockHost({});
    mock.host.process.memory.map({ address: HOLE, size, writable: true });
    const ioas = mock.iommufd.ioasAlloc();
    if (!hugePages) mock.iommufd.option(1, 0, ioas);
    const device = mock.bound();
    mock.iommufd.map(ioas, HOLE, size, { iova: MOCK_START });
    const hwpt = mock.iommufd.hwptAlloc(device.id, ioas, { flags: 2 });
    return { mock, iommufd: mock.iommufd, ioas, device, hwpt };
  };
  const bytes = Math.max(1, size / MOCK_PAGE / 8);

  test('enforce_dirty: only devices whose hardware tracks use such a page table', () => {
    const { mock, hwpt, device } = ready();
    expect(device.attach(hwpt)).toBe(hwpt);
    expect(mock.bound({ dirtyTracking: false }).attach(hwpt)).toBe(EINVAL);
  });

  test('set_dirty_tracking, pasid_set_dirty_tracking: on and off, on what was made for it', () => {
    const { mock, iommufd, ioas, hwpt } = ready();
    expect([true, true, false].map((on) => iommufd.setDirtyTracking(hwpt, on))).toEqual([0, 0, 0]);
    const device = mock.device();
    Object.assign(device, { supportsPasid: true });
    const bound = iommufd.bind(device);
    expect(iommufd.setDirtyTracking(iommufd.hwptAlloc(bound.id, ioas), true)).toBe(EOPNOTSUPP);
    expect(iommufd.setDirtyTracking(99, true)).toBe(ENOENT);
    const forPasid = iommufd.hwptAlloc(bound.id, ioas, { flags: 2 | 8 });
    expect([bound.attach(forPasid, 3), iommufd.setDirtyTracking(forPasid, true)]).toEqual([
      forPasid,
      0,
    ]);
  });

  test('device_dirty_capability: is told', () => {
    const { mock, iommufd, device } = ready();
    expect(iommufd.hwInfo(device.id).capabilities).toBe(1n);
    expect(iommufd.hwInfo(mock.bound({ dirtyTracking: false }).id).capabilities).toBe(0n);
  });

  test.each([
    ['get_dirty_bitmap', 0],
    ['get_dirty_bitmap_no_clear', 1],
  ] as const)('%s: exactly what was written, into any place', (_title, flags) => {
    const { mock, iommufd, device, hwpt } = ready();
    const data = 0x500_0000_0000;
    mock.host.process.memory.map({
      address: data,
      size: bytes + 64,
      writable: true,
      bytes: new Uint8Array(bytes + 64),
    });
    device.attach(hwpt);
    iommufd.setDirtyTracking(hwpt, true);
    const written = [0, 1, size / MOCK_PAGE - 1];
    for (const page of written) device.dma.write(MOCK_START + page * MOCK_PAGE, Uint8Array.of(1));
    for (const at of [data, data + 3]) {
      mock.host.process.memory.write(data, new Uint8Array(bytes + 64));
      expect(iommufd.getDirty(hwpt, MOCK_START, size, { page: MOCK_PAGE, data: at, flags })).toBe(
        0,
      );
      const bitmap = mock.host.process.memory.read(at, bytes)!;
      const expected = new Uint8Array(bytes);
      if (at === data || flags === 1)
        for (const page of written) expected[page >> 3]! |= 1 << (page & 7);
      expect(bitmap).toEqual(expected);
    }
  });

  test('get_dirty_bitmap: of coarser pages, of holes, and of nonsense', () => {
    const { iommufd, ioas, device, hwpt } = ready();
    device.attach(hwpt);
    expect(iommufd.getDirty(hwpt, MOCK_START, size)).toBe(0);
    iommufd.setDirtyTracking(hwpt, true);
    device.dma.write(MOCK_START + MOCK_PAGE, Uint8Array.of(1));
    iommufd.process.memory.write(SCRATCH, new Uint8Array(8));
    expect(iommufd.getDirty(hwpt, MOCK_START, 2 * PAGE)).toBe(0);
    expect(iommufd.process.memory.read(SCRATCH, 1)![0]).toBe(1);
    const bad = [
      iommufd.getDirty(hwpt, MOCK_START + 1, size),
      iommufd.getDirty(hwpt, MOCK_START, size, { page: 0 }),
      iommufd.getDirty(hwpt, MOCK_START, size + 1),
      iommufd.getDirty(hwpt, 0, 0),
    ];
    expect(bad).toEqual([EINVAL, EINVAL, EINVAL, EINVAL]);
    expect(iommufd.getDirty(hwpt, MOCK_START, 0)).toBe(EOVERFLOW);
    expect(iommufd.getDirty(hwpt, 0xffff_ffff_ffff_f000n, 2 * PAGE)).toBe(EOVERFLOW);
    expect(iommufd.getDirty(99, MOCK_START, size)).toBe(ENOENT);
    expect(iommufd.getDirty(iommufd.hwptAlloc(device.id, ioas), MOCK_START, size)).toBe(EOPNOTSUPP);
    expect(iommufd.getDirty(hwpt, MOCK_START + 0x10000000, PAGE)).toBe(0);
  });
});
