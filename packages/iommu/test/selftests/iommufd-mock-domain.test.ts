// Cases of tools/testing/selftests/iommu/iommufd.c, by their names: what each asserts, in our own words and calls.
import { describe, expect, test } from 'vitest';
import { EBUSY, EFAULT, ENOENT } from '../support/errno.js';
import { ARENA, HOLE } from '../support/host.js';
import { MOCK_PAGE, MOCK_START, MockHost } from '../support/iommufd.js';

const PAGE = 4096;
const READ = 1;
const WRITE = 2;

describe.each([
  ['one domain, large pages', 1, true],
  ['two domains, large pages', 2, true],
  ['one domain, small pages', 1, false],
  ['two domains, small pages', 2, false],
  ['one domain, large pages of the host', 1, true],
  ['two domains, large pages of the host', 2, true],
] as const)('iommufd_mock_domain (%s)', (name, domains, hugePages) => {
  const ready = () => {
    const mock = new MockHost();
    const ioas = mock.iommufd.ioasAlloc();
    if (!hugePages) mock.iommufd.option(1, 0, ioas);
    if (name.endsWith('of the host'))
      mock.host.process.memory.map({
        address: HOLE,
        size: 0x400000,
        writable: true,
        bytes: new Uint8Array(0x400000),
        hugePageSize: 0x200000,
      });
    const devices = Array.from({ length: domains }, (_, i) => mock.bound({ driver: `mock${i}` }));
    for (const device of devices) device.attach(ioas);
    const source = name.endsWith('of the host') ? HOLE : ARENA;
    return {
      mock,
      iommufd: mock.iommufd,
      ioas,
      devices,
      source,
      granule: hugePages ? MOCK_PAGE : PAGE,
    };
  };

  test('basic: devices see what is mapped, and nothing afterwards', () => {
    const { iommufd, ioas, devices, source } = ready();
    expect(iommufd.map(ioas, source, 4 * PAGE, { iova: MOCK_START })).toBe(BigInt(MOCK_START));
    for (const { dma } of devices)
      expect(dma.translate(MOCK_START + 3 * PAGE, WRITE)!.offset).toBe(3 * PAGE);
    expect(iommufd.map(ioas, HOLE + 0x800000, PAGE, { iova: MOCK_START + 0x10000 })).toBe(EFAULT);
    expect(iommufd.unmap(ioas, MOCK_START, 4 * PAGE)).toBe(BigInt(4 * PAGE));
    for (const { dma } of devices) expect(dma.translate(MOCK_START, READ)).toBeUndefined();
  });

  test('ro_unshare: read-only memory can be read, and not written', () => {
    const { mock, iommufd, ioas, devices } = ready();
    mock.host.process.memory.map({ address: HOLE + 0x1000000, size: PAGE, writable: false });
    expect(iommufd.map(ioas, HOLE + 0x1000000, PAGE, { iova: MOCK_START })).toBe(EFAULT);
    expect(iommufd.map(ioas, HOLE + 0x1000000, PAGE, { iova: MOCK_START, flags: 4 })).toBe(
      BigInt(MOCK_START),
    );
    for (const { dma } of devices)
      expect([
        dma.translate(MOCK_START, READ) !== undefined,
        dma.translate(MOCK_START, WRITE),
      ]).toEqual([true, undefined]);
  });

  test.each([
    ['all_aligns', false],
    ['all_aligns_copy', true],
  ])('%s: every start and end leads where it should', (_name, copied) => {
    const { mock, iommufd, ioas, devices, source, granule } = ready();
    const other = iommufd.ioasAlloc();
    const seen = copied ? mock.bound() : devices[0]!;
    if (copied) {
      if (!hugePages) iommufd.option(1, 0, other);
      seen.attach(other);
    }
    for (let start = 0; start < 4 * PAGE; start += granule)
      for (let length = granule; start + length <= 4 * PAGE; length += granule) {
        const at = iommufd.map(ioas, source + start, length, { iova: MOCK_START + start });
        expect(at).toBe(BigInt(MOCK_START + start));
        if (copied) iommufd.copy([ioas, at as bigint], [other, at as bigint], length);
        const hit = seen.dma.translate(MOCK_START + start, WRITE)!;
        expect([hit.offset, hit.length]).toEqual([start, length]);
        expect(seen.dma.translate(MOCK_START + start + length, WRITE)).toBeUndefined();
        if (start > 0) expect(seen.dma.translate(MOCK_START + start - 1, WRITE)).toBeUndefined();
        iommufd.unmapAll(ioas);
        iommufd.unmapAll(other);
      }
    expect(mock.host.process.lockedBytes).toBe(0);
  });

  test('user_copy: copies live on when their source’s page table has gone', () => {
    const { mock, iommufd, ioas, devices, source } = ready();
    iommufd.map(ioas, source, 2 * PAGE, { iova: MOCK_START });
    const other = iommufd.ioasAlloc();
    iommufd.copy([ioas, MOCK_START], [other, MOCK_START], 2 * PAGE);
    for (const device of devices) device.close();
    iommufd.unmapAll(ioas);
    expect(iommufd.destroy(ioas)).toBe(0);
    const device = mock.bound();
    expect(device.attach(other)).toBeGreaterThan(0);
    expect(device.dma.translate(MOCK_START + PAGE, READ)!.offset).toBe(PAGE);
  });

  test('replace: a device moves between address spaces', () => {
    const { iommufd, ioas, devices, source } = ready();
    iommufd.map(ioas, source, PAGE, { iova: MOCK_START });
    const other = iommufd.ioasAlloc();
    expect(devices[0]!.attach(other)).toBeGreaterThan(0);
    expect(devices[0]!.dma.translate(MOCK_START, READ)).toBeUndefined();
    expect(devices[0]!.attach(ioas)).toBeGreaterThan(0);
    expect(devices[0]!.dma.translate(MOCK_START, READ)).toBeDefined();
    expect(devices[0]!.attach(99)).toBe(ENOENT);
    expect(devices[0]!.dma.translate(MOCK_START, READ)).toBeDefined();
  });

  test('alloc_hwpt: page tables by hand show the IOAS as well', () => {
    const { iommufd, ioas, devices, source } = ready();
    iommufd.map(ioas, source, PAGE, { iova: MOCK_START });
    const [first] = devices;
    const [one, two] = [0, 1].map(() => iommufd.hwptAlloc(first!.id, ioas));
    expect(one).not.toBe(two);
    for (const hwpt of [one!, two!]) {
      expect(first!.attach(hwpt)).toBe(hwpt);
      expect(first!.dma.translate(MOCK_START, READ)).toBeDefined();
    }
    expect([iommufd.destroy(one!), iommufd.destroy(two!)]).toEqual([0, EBUSY]);
  });
});
