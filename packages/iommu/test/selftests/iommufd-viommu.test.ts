// Cases of tools/testing/selftests/iommu/iommufd.c, by their names: what each asserts, in our own words and calls.
import { describe, expect, test } from 'vitest';
import type { FaultQueue } from '../../src/iommufd/fault-queue.js';
import type { VeventQueue } from '../../src/iommufd/viommu.js';
import { EBUSY, EEXIST, EINVAL, ENOENT, EOPNOTSUPP, EOVERFLOW, ESPIPE } from '../support/errno.js';
import { ARENA, HOLE, le, StubDevice } from '../support/host.js';
import { type BoundDevice, MOCK_START, MockHost } from '../support/iommufd.js';

const PAGE = 4096;

describe.each([true, false])('iommufd_viommu (behind a page table: %s)', (nested) => {
  const ready = () => {
    const mock = new MockHost();
    const ioas = mock.iommufd.ioasAlloc();
    const device = mock.bound();
    const parent = mock.iommufd.hwptAlloc(device.id, ioas, { flags: 1 });
    const viommu = mock.iommufd.viommuAlloc(device.id, parent);
    const hwpt = nested ? mock.iommufd.nested(device.id, viommu, 0) : undefined;
    return { mock, iommufd: mock.iommufd, ioas, device, parent, viommu, hwpt };
  };

  test('viommu_auto_destroy: goes with the file', () => {
    const { mock, device } = ready();
    device.close();
    mock.host.process.fds.close(mock.iommufd.fd);
    expect(device.device.iommuGroup!.ownerClaimed).toBe(false);
  });

  test('viommu_negative_tests: wants a device, a nest parent, a known type, and no flags', () => {
    const { mock, iommufd, ioas, device, parent } = ready();
    expect(iommufd.viommuAlloc(device.id, parent, 0)).toBe(EOPNOTSUPP);
    expect(iommufd.viommuAlloc(device.id, parent, 77)).toBe(EOPNOTSUPP);
    expect(iommufd.viommuAlloc(device.id, parent, 1, 1)).toBe(EOPNOTSUPP);
    expect(iommufd.viommuAlloc(99, parent)).toBe(ENOENT);
    expect(iommufd.viommuAlloc(device.id, 99)).toBe(ENOENT);
    expect(iommufd.viommuAlloc(device.id, iommufd.hwptAlloc(device.id, ioas))).toBe(EINVAL);
    expect(iommufd.viommuAlloc(mock.bound({ driver: 'other' }).id, parent)).toBe(EINVAL);
    expect(iommufd.destroy(parent)).toBe(EBUSY);
  });

  test('viommu_alloc_nested_iopf: a guest’s table on it, with faults that are answered', () => {
    const { mock, iommufd, device, viommu } = ready();
    const fault = iommufd.faultQueueAlloc();
    expect(iommufd.nested(device.id, viommu, 0, 4, 99)).toBe(ENOENT);
    const hwpt = iommufd.nested(device.id, viommu, 0, 4, fault.id);
    expect(device.attach(hwpt)).toBe(hwpt);
    expect([iommufd.destroy(viommu), iommufd.destroy(fault.id)]).toEqual([EBUSY, EBUSY]);
    const file = mock.host.process.fds.get(fault.fd)! as unknown as FaultQueue;
    const answers: number[] = [];
    const request = {
      flags: 3,
      devId: device.id,
      pasid: 0,
      grpid: 1,
      perm: 1,
      reserved: 0,
      addr: 0x5000n,
      length: 0,
    };
    file.report([request], (code) => answers.push(code));
    file.report([request], (code) => answers.push(code));
    const read = new Uint8Array(2 * 40);
    expect(file.read(new Uint8Array(39))).toBe(ESPIPE);
    expect(file.read(read)).toBe(80);
    const cookie = new DataView(read.buffer).getUint32(36, true);
    expect(file.write(le(8, [0, 4, 99], [4, 4, 0]))).toBe(EINVAL);
    expect(file.write(le(8, [0, 4, cookie], [4, 4, 7]))).toBe(EINVAL);
    expect(file.write(le(8, [0, 4, cookie], [4, 4, 0]))).toBe(8);
    expect(answers).toEqual([0]);
    device.detach();
    expect([iommufd.destroy(hwpt), iommufd.destroy(fault.id)]).toEqual([0, EBUSY]);
    mock.host.process.fds.close(fault.fd);
    expect(iommufd.destroy(fault.id)).toBe(0);
    expect(answers).toEqual([0, 1]);
  });

  test('viommu_alloc_with_data: what a type does not know is not looked at', () => {
    const { iommufd, device, parent } = ready();
    const { ret } = iommufd.call(
      0x3b90,
      40,
      [8, 4, 1],
      [12, 4, device.id],
      [16, 4, parent],
      [24, 4, 8],
      [32, 8, HOLE],
    );
    expect(ret).toBe(0);
  });

  test('vdevice_alloc: a number for a device, one each', () => {
    const { mock, iommufd, device, viommu } = ready();
    const vdevice = iommufd.vdeviceAlloc(viommu, device.id, 0x99);
    expect(vdevice).toBeGreaterThan(0);
    expect(iommufd.vdeviceAlloc(viommu, device.id, 0x9a)).toBe(EEXIST);
    const other = mock.bound();
    expect(iommufd.vdeviceAlloc(viommu, other.id, 0x99)).toBe(EEXIST);
    expect(iommufd.vdeviceAlloc(viommu, mock.bound({ name: 'iommu1' }).id, 0x9b)).toBe(EINVAL);
    expect([iommufd.vdeviceAlloc(99, device.id, 1), iommufd.vdeviceAlloc(viommu, 99, 1)]).toEqual([
      ENOENT,
      ENOENT,
    ]);
    expect([iommufd.destroy(viommu), iommufd.destroy(vdevice)]).toEqual([EBUSY, 0]);
  });

  test('vdevice_cache: invalidations go to a guest’s table, not to a slice that has no commands', () => {
    const { iommufd, viommu, hwpt } = ready();
    const entry = le(24, [8, 8, 1]);
    expect(iommufd.invalidate(viommu, entry)).toEqual([EOPNOTSUPP, 0]);
    if (hwpt !== undefined) expect(iommufd.invalidate(hwpt, entry)).toEqual([0, 1]);
  });

  test('vdevice_tombstone: the number of a device that has gone stays until it is destroyed', () => {
    const { iommufd, device, viommu } = ready();
    const vdevice = iommufd.vdeviceAlloc(viommu, device.id, 0x99);
    device.close();
    expect([iommufd.destroy(vdevice), iommufd.destroy(vdevice)]).toEqual([0, ENOENT]);
  });

  test('viommu events: queues of a depth, that say what was lost', () => {
    const { mock, iommufd, viommu } = ready();
    expect(iommufd.veventqAlloc(viommu, 0).ret).toBe(EINVAL);
    expect(iommufd.veventqAlloc(viommu, (1 << 19) + 1).ret).toBe(EINVAL);
    expect(iommufd.veventqAlloc(99).ret).toBe(ENOENT);
    expect(iommufd.veventqAlloc(viommu, 2, 0).ret).toBe(EOPNOTSUPP);
    const queue = iommufd.veventqAlloc(viommu, 2);
    expect(iommufd.veventqAlloc(viommu, 2).ret).toBe(EEXIST);
    const file = mock.host.process.fds.get(queue.fd)! as unknown as VeventQueue;
    for (let i = 0; i < 3; i += 1) file.report(Uint8Array.of(i, 0, 0, 0));
    const into = new Uint8Array(64);
    expect(file.read(new Uint8Array(4))).toBe(0);
    expect(file.read(into)).toBe(12 + 12 + 8);
    const view = new DataView(into.buffer);
    expect([view.getUint32(4, true), into[8], view.getUint32(16, true), into[20]]).toEqual([
      0, 0, 1, 1,
    ]);
    expect([view.getUint32(24, true), view.getUint32(28, true)]).toEqual([1, 2]);
    expect([iommufd.destroy(viommu), iommufd.destroy(queue.id)]).toEqual([EBUSY, EBUSY]);
    mock.host.process.fds.close(queue.fd);
    expect(iommufd.destroy(queue.id)).toBe(0);
  });

  test('hw_queue: queues lie in memory that stays', () => {
    const { mock, iommufd, ioas, viommu } = ready();
    expect(iommufd.hwQueueAlloc(viommu, MOCK_START, PAGE, 0)).toBe(EOPNOTSUPP);
    expect(iommufd.hwQueueAlloc(viommu, MOCK_START, 0)).toBe(EINVAL);
    expect(iommufd.hwQueueAlloc(viommu, MOCK_START, PAGE)).toBe(ENOENT);
    expect(iommufd.hwQueueAlloc(viommu, -4096, 2 * PAGE)).toBe(EOVERFLOW);
    iommufd.map(ioas, ARENA, 2 * PAGE, { iova: MOCK_START });
    const queue = iommufd.hwQueueAlloc(viommu, MOCK_START, PAGE);
    expect(iommufd.unmapAll(ioas)).toBe(EBUSY);
    expect([iommufd.destroy(viommu), iommufd.destroy(queue)]).toEqual([EBUSY, 0]);
    expect(iommufd.unmapAll(ioas)).toBe(BigInt(2 * PAGE));
    expect(mock.host.process.lockedBytes).toBe(0);
  });
});

describe.each([1, 2])('iommufd_device_pasid (%i devices)', (count) => {
  test('pasid_attach: attach, replace and detach, for page tables that are made for it', () => {
    const mock = new MockHost();
    const [ioas, other] = [mock.iommufd.ioasAlloc(), mock.iommufd.ioasAlloc()];
    const first = mock.device();
    const devices: StubDevice[] = [first];
    if (count === 2) {
      devices.push(new StubDevice('sibling', first.iommuGroup));
      mock.host.groups.register(devices[1]!);
    }
    for (const device of devices) Object.assign(device, { supportsPasid: true });
    const bound: BoundDevice[] = devices.map((device) => mock.iommufd.bind(device));
    const [one, two] = [ioas, other].map((target) =>
      mock.iommufd.hwptAlloc(bound[0]!.id, target, { flags: 8 }),
    );
    const plain = mock.iommufd.hwptAlloc(bound[0]!.id, ioas);
    expect(bound[0]!.attach(plain, 100)).toBe(EINVAL);
    expect(bound[0]!.attach(plain)).toBe(plain);
    expect(bound[0]!.attach(one!, 100)).toBe(EINVAL);
    expect(bound[0]!.attach(one!)).toBe(one);
    for (const device of bound) expect(device.attach(one!, 100)).toBe(one);
    expect(bound[0]!.attach(ioas, 100)).toBe(EINVAL);
    expect(bound.at(-1)!.attach(two!, 100)).toBe(two);
    expect(first.iommuGroup!.pasidDomain(100)!.name).toBe(`hwpt ${two}`);
    expect(bound[0]!.attach(plain)).toBe(EINVAL);
    for (const device of bound) expect([device.detach(100), device.detach(100)]).toEqual([0, 0]);
    expect(bound[0]!.attach(plain)).toBe(plain);
    expect(mock.iommufd.destroy(two!)).toBe(0);
  });
});
