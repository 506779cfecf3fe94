import { describe, expect, test } from 'vitest';
import { EINVAL, EOPNOTSUPP } from '../support/errno.js';
import { ARENA, le, StubDevice } from '../support/host.js';
import { MOCK_START, MockHost, SCRATCH } from '../support/iommufd.js';

const PAGE = 4096;
const NEST_PARENT = 1;
const DIRTY_TRACKING = 2;
const PASID = 8;

/** A device with a page table that others can be nested on. */
function nestable() {
  const mock = new MockHost();
  const device = mock.bound();
  const ioas = mock.iommufd.ioasAlloc();
  const parent = mock.iommufd.hwptAlloc(device.id, ioas, { flags: NEST_PARENT });
  return { mock, iommufd: mock.iommufd, device, parent };
}

describe('a guest’s page table', () => {
  test.each([
    ['flags that VT-d has not', le(24, [0, 8, 8], [16, 4, 48]), EOPNOTSUPP],
    ['a reserved member', le(24, [16, 4, 48], [20, 4, 1]), EOPNOTSUPP],
    ['a width that is none', le(24, [16, 4, 39]), EINVAL],
    ['a root that is no page', le(24, [8, 8, 8], [16, 4, 48]), EINVAL],
  ])('is refused with %s', (_, data, result) => {
    const { mock, iommufd, device, parent } = nestable();
    mock.host.process.memory.write(SCRATCH, data);
    const nested = { type: 1, length: 24, data: SCRATCH };
    expect(iommufd.hwptAlloc(device.id, parent, nested)).toBe(result);
  });

  test('on a slice of an IOMMU is for devices behind that very one', () => {
    const { mock, iommufd, device, parent } = nestable();
    const viommu = iommufd.viommuAlloc(device.id, parent);
    const elsewhere = mock.bound({ name: 'dmar1' });
    expect(iommufd.nested(elsewhere.id, viommu, 0)).toBe(EINVAL);
    expect(iommufd.nested(device.id, viommu, 0)).toBeGreaterThan(0);
  });

  test('is invalidated as a whole from address 0 only', () => {
    const { iommufd, device, parent } = nestable();
    const hwpt = iommufd.nested(device.id, parent, 0);
    expect(iommufd.invalidate(hwpt, le(24, [0, 8, PAGE], [8, 8, -1]))).toEqual([EINVAL, 0]);
    expect(iommufd.invalidate(hwpt, le(24, [8, 8, -1]))).toEqual([0, 1]);
  });
});

describe('dirty tracking', () => {
  test('starts with nothing dirty, whatever was left over', () => {
    const mock = new MockHost();
    const device = mock.bound();
    const { iommufd } = mock;
    const ioas = iommufd.ioasAlloc();
    const hwpt = iommufd.hwptAlloc(device.id, ioas, { flags: DIRTY_TRACKING });
    device.attach(hwpt);
    iommufd.map(ioas, ARENA, PAGE, { iova: MOCK_START });
    const dirty = () => {
      mock.host.process.memory.write(SCRATCH, new Uint8Array(8));
      iommufd.getDirty(hwpt, MOCK_START, PAGE);
      return mock.host.process.memory.read(SCRATCH, 1)![0];
    };
    iommufd.setDirtyTracking(hwpt, true);
    device.dma.write(MOCK_START, new Uint8Array(8));
    iommufd.setDirtyTracking(hwpt, false);
    iommufd.setDirtyTracking(hwpt, true);
    expect(dirty()).toBe(0);
    device.dma.write(MOCK_START, new Uint8Array(8));
    expect(dirty()).toBe(1);
  });
});

describe('a PASID of a group', () => {
  test('goes one way for all devices: one that joins takes it, one that has joined moves all', () => {
    const mock = new MockHost();
    const { iommufd } = mock;
    const first = mock.device();
    const sibling = new StubDevice('sibling', first.iommuGroup);
    mock.host.groups.register(sibling);
    for (const device of [first, sibling]) Object.assign(device, { supportsPasid: true });
    const [one, other] = [iommufd.bind(first), iommufd.bind(sibling)];
    const [here, there] = [iommufd.ioasAlloc(), iommufd.ioasAlloc()].map((ioas) =>
      iommufd.hwptAlloc(one.id, ioas, { flags: PASID }),
    );
    const target = () => first.iommuGroup!.pasidDomain(5)?.name;
    expect(one.attach(here!, 5)).toBe(here);
    expect(other.attach(there!, 5)).toBe(EINVAL);
    expect(other.attach(here!, 5)).toBe(here);
    expect(other.attach(there!, 5)).toBe(there);
    expect(target()).toBe(`hwpt ${there}`);
    expect([one.detach(5), target()]).toEqual([0, `hwpt ${there}`]);
    expect([other.detach(5), target()]).toEqual([0, undefined]);
  });
});
