import { describe, expect, test } from 'vitest';
import { EFAULT, EINVAL, ENOENT } from '../support/errno.js';
import { ARENA, HOLE, StubDevice } from '../support/host.js';
import { MOCK_START, MockHost } from '../support/iommufd.js';

const PAGE = 4096;

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
