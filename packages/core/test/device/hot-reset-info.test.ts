import type { DeviceDoor, GroupDevice } from '@vfiokit/iommu';
import { EventFd, type VfioDevice } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import type { VfioPciCoreDevice } from '../../src/core-device.js';
import {
  BAD_POINTER,
  bridge,
  ioctl,
  Machine,
  type MachineOptions,
  openAdapter,
} from './fixture.js';

const EBADF = 9;
const EFAULT = 14;
const EINVAL = 22;
const ENODEV = 19;
const ENOSPC = 28;
const EPERM = 1;
const GET_HOT_RESET_INFO = 0x3b70;
const HOT_RESET = 0x3b71;
const RESET = 0x3b6f;
const NOT_OWNED = 0xffffffff;

/** Two functions of one slot, 0000:01:00.0 and .1, and one more on their bus, each in an IOMMU group of its own. */
const ADDRESSES = ['0000:01:00.0', '0000:01:00.1', '0000:01:02.0'] as const;

function behindPort(options: MachineOptions = {}) {
  const machine = new Machine(options);
  machine.add('0000:00:01.0', { base: bridge(1), description: { bars: [] } });
  const cores = ADDRESSES.map((address) =>
    machine.bind(machine.add(address, { config: [[0x0e, 1, 0x80]] })),
  );
  const [first] = cores as [VfioPciCoreDevice, ...VfioPciCoreDevice[]];
  const groups = cores.map(({ iommuGroup }) => iommuGroup!.id);
  return { machine, cores, first, groups, [Symbol.dispose]: () => machine[Symbol.dispose]() };
}

/** Segment, bus and devfn as the last word of an entry. */
const where = (devfn: number, bus = 1, segment = 0) =>
  (devfn * 2 ** 24 + bus * 2 ** 16 + segment) >>> 0;

const info = (device: VfioDevice, { process }: Machine, argsz: number, words = argsz / 4) =>
  ioctl(device, process, GET_HOT_RESET_INFO, argsz, ...new Array(words - 1).fill(7));

describe('VFIO_DEVICE_GET_PCI_HOT_RESET_INFO', () => {
  it('[core:C2.36] tells how many functions there are where they do not fit', () => {
    using port = behindPort();
    const device = port.machine.open(port.first);
    expect(info(device, port.machine, 12)).toEqual([-ENOSPC, 12, 0, 3]);
    expect(info(device, port.machine, 35, 9).slice(0, 4)).toEqual([-ENOSPC, 35, 0, 3]);
  });

  it('[core:C2.38] lists the IOMMU groups of everything on the bus', () => {
    using port = behindPort();
    const device = port.machine.open(port.first);
    const [a, b, c] = port.groups;
    expect(info(device, port.machine, 36)).toEqual([
      ...[0, 36, 0, 3],
      ...[a, where(0x00), b, where(0x01), c, where(0x10)],
    ]);
  });

  it('lists what is behind the bus as well, each bridge first', () => {
    using port = behindPort();
    const { machine } = port;
    machine.add('0000:01:01.0', { base: bridge(2), description: { bars: [] } });
    machine.bind(machine.add('0000:02:00.0'));
    const device = machine.open(port.first);
    // The bridge has no group, so only the walk's length can be seen.
    expect(info(device, machine, 12)).toEqual([-ENOSPC, 12, 0, 5]);
  });

  it('lists the functions of the slot alone where that can be reset', () => {
    using port = behindPort({ platform: { probeSlotReset: () => 0 } });
    const device = port.machine.open(port.first);
    const [a, b] = port.groups;
    expect(info(device, port.machine, 28)).toEqual([0, 28, 0, 2, a, where(0x00), b, where(0x01)]);
  });

  it('[core:C2.38] is EPERM where a function has no IOMMU group', () => {
    using port = behindPort();
    port.machine.add('0000:01:03.0');
    const device = port.machine.open(port.first);
    expect(info(device, port.machine, 44)[0]).toBe(-EPERM);
  });

  it('lists functions that nobody has bound by their group too', () => {
    using port = behindPort();
    const { machine, first } = port;
    machine.add('0000:01:03.0');
    first.iommuGroup!.members.add('0000:01:03.0');
    const device = machine.open(first);
    const answer = info(device, machine, 44);
    expect(answer[0]).toBe(0);
    expect(answer.slice(-2)).toEqual([port.groups[0], where(0x18)]);
  });

  it('[core:C2.37] is ENODEV on a root bus', () => {
    using adapter = openAdapter();
    expect(adapter.ioctl(GET_HOT_RESET_INFO, 12, 0, 0)[0]).toBe(-ENODEV);
  });

  it('wants argsz to be 12 at least, and memory behind it', () => {
    using port = behindPort();
    const { machine } = port;
    const device = machine.open(port.first);
    expect(info(device, machine, 11, 3)[0]).toBe(-EINVAL);
    expect(device.ioctl(GET_HOT_RESET_INFO, BAD_POINTER, machine.process)).toBe(-EFAULT);
    expect(info(device, machine, 36, 5)[0]).toBe(-EFAULT);
  });
});

/** A character device's door to an iommufd that knows some devices by number, and the groups of others. */
function cdevDoor(devids: ReadonlyMap<GroupDevice, number>, sharing: readonly GroupDevice[] = []) {
  const door: DeviceDoor = {
    kind: 'cdev',
    bind: () => 0,
    unbind: () => {},
    kvm: undefined,
    pages: undefined,
    devid: (device) => devids.get(device),
    sharesGroup: (device) => sharing.includes(device),
  };
  return door;
}

describe('the same on a device that was opened by its character device', () => {
  function ask(owned: (cores: readonly VfioPciCoreDevice[]) => DeviceDoor) {
    using port = behindPort();
    const { machine, cores, first } = port;
    using device = disposable(first.open(owned(cores)));
    return info(device.file, machine, 36);
  }

  it('[core:C2.39] names the devices that the iommufd knows', () => {
    expect(ask((cores) => cdevDoor(new Map(cores.map((core, i) => [core, 10 + i]))))).toEqual([
      ...[0, 36, 3, 3],
      ...[10, where(0x00), 11, where(0x01), 12, where(0x10)],
    ]);
  });

  it('owns devices without a number if they share a group with one that it knows', () => {
    expect(ask(([a, b, c]) => cdevDoor(new Map([[a!, 5]]), [b!, c!]))).toEqual([
      ...[0, 36, 3, 3],
      ...[5, where(0x00), 0, where(0x01), 0, where(0x10)],
    ]);
  });

  it('[core:C2.39] does not own others, and says so', () => {
    expect(ask(([a, b]) => cdevDoor(new Map([[a!, 5]]), [b!]))).toEqual([
      ...[0, 36, 1, 3],
      ...[5, where(0x00), 0, where(0x01), NOT_OWNED, where(0x10)],
    ]);
  });

  it('[core:C2.39] does not own what is not bound to VFIO', () => {
    using port = behindPort();
    const { machine, cores, first } = port;
    machine.vfio.unbind(cores[1]!);
    const door = cdevDoor(new Map(cores.map((core, i) => [core, 10 + i])));
    using device = disposable(first.open(door));
    expect(info(device.file, machine, 36)).toEqual([
      ...[0, 36, 1, 3],
      ...[10, where(0x00), NOT_OWNED, where(0x01), 12, where(0x10)],
    ]);
  });

  it('[core:C2.40] takes no groups to reset', () => {
    using port = behindPort();
    const { machine, cores, first } = port;
    const door = cdevDoor(new Map(cores.map((core, i) => [core, 10 + i])));
    using device = disposable(first.open(door));
    expect(ioctl(device.file, machine.process, HOT_RESET, 16, 0, 1, 3)[0]).toBe(-EINVAL);
    expect(ioctl(device.file, machine.process, HOT_RESET, 12, 0, 0)[0]).toBe(0);
  });
});

function disposable(file: VfioDevice) {
  return { file, [Symbol.dispose]: () => file.close() };
}

describe('what VFIO_DEVICE_PCI_HOT_RESET is given', () => {
  /** The first function, opened; its group's and a foreign file's descriptors. */
  function opened() {
    const port = behindPort();
    const { machine, first } = port;
    const group = machine.openGroup(first);
    const device = machine.open(first, group);
    const { process } = machine;
    return {
      ...port,
      groupFd: process.fds.install(group),
      eventFd: process.fds.install(new EventFd()),
      reset: (...words: number[]) => ioctl(device, process, HOT_RESET, ...words)[0],
      device,
    };
  }

  it('[core:C2.40] names groups if the device was opened by its group', () => {
    using port = opened();
    expect(port.reset(12, 0, 0)).toBe(-EINVAL);
    // Even where there is nothing to reset, which is asked later.
    using alone = openAdapter();
    expect(alone.ioctl(HOT_RESET, 12, 0, 0)[0]).toBe(-EINVAL);
  });

  it('[core:C2.41] has no flags', () => {
    using port = opened();
    expect(port.reset(16, 1, 1, port.groupFd)).toBe(-EINVAL);
  });

  it('[core:C2.42] names no more groups than there are functions', () => {
    using port = opened();
    const unopened = [99, 99, 99, 99] as const;
    expect(port.reset(28, 0, 4, ...unopened)).toBe(-EINVAL);
    expect(port.reset(24, 0, 3, ...unopened.slice(1))).toBe(-EBADF);
  });

  it('[core:C2.43] names open files, of groups', () => {
    using port = opened();
    expect(port.reset(16, 0, 1, 99)).toBe(-EBADF);
    expect(port.reset(16, 0, 1, -1)).toBe(-EBADF);
    expect(port.reset(16, 0, 1, port.eventFd)).toBe(-EINVAL);
    expect(port.reset(20, 0, 2, port.groupFd, 99)).toBe(-EBADF);
  });

  it('has a header and as many descriptors as that says, whatever argsz', () => {
    using port = opened();
    const { device, machine, groupFd } = port;
    expect(port.reset(11, 0, 1, groupFd)).toBe(-EINVAL);
    expect(device.ioctl(HOT_RESET, BAD_POINTER, machine.process)).toBe(-EFAULT);
    expect(port.reset(16, 0, 2, groupFd)).toBe(-EFAULT);
    // Enough memory, too small an argsz: the first descriptor is looked at.
    expect(port.reset(12, 0, 1, 99)).toBe(-EBADF);
  });

  it('is beside the point on a root bus', () => {
    using adapter = openAdapter();
    const fd = adapter.process.fds.install(adapter.group);
    expect(adapter.ioctl(HOT_RESET, 16, 0, 1, fd)[0]).toBe(-ENODEV);
  });
});

describe('VFIO_DEVICE_RESET', () => {
  it('[core:C2.35] is EINVAL without a reset that works', () => {
    using adapter = openAdapter({ config: [[0x74, 4, 0x00008000]] });
    expect(adapter.ioctl(RESET)[0]).toBe(-EINVAL);
    using resettable = openAdapter();
    expect(resettable.ioctl(RESET)[0]).toBe(0);
  });
});
