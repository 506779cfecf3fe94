import { DevVfio } from '@vfiokit/iommu';
import { EventFd, type IoctlArgument } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import { BAD_POINTER, ioctl, Machine, openAdapter, words } from './fixture.js';

const EBADF = 9;
const EBADFD = 77;
const EBUSY = 16;
const EFAULT = 14;
const EINVAL = 22;
const ENODEV = 19;
const GROUP_GET_STATUS = 0x3b67;
const GROUP_SET_CONTAINER = 0x3b68;
const GROUP_UNSET_CONTAINER = 0x3b69;
const GROUP_GET_DEVICE_FD = 0x3b6a;
const SET_IOMMU = 0x3b66;
const TYPE1V2 = 3;
const NAME = '0000:00:03.0';

/** A bound function whose group is open and has no container yet, and a container. */
function openGroup() {
  const machine = new Machine();
  const { process, container, groups } = machine;
  const core = machine.bind(machine.add(NAME));
  const group = groups.openGroup(core.iommuGroup!.id, process);
  const iommu = container.resolve(DevVfio).openContainer();
  const { fds } = process;
  return {
    machine,
    core,
    group,
    iommu,
    fds,
    containerFd: fds.install(iommu),
    call: (command: number, argument?: IoctlArgument) => group.ioctl(command, argument, process),
    setIommu: () => iommu.ioctl(SET_IOMMU, TYPE1V2, process),
    deviceFd: (name: string) =>
      group.ioctl(GROUP_GET_DEVICE_FD, new TextEncoder().encode(`${name}\0`), process),
  };
}

describe('the group of a function', () => {
  it('[core:C1.13] is open once', () => {
    const { machine, core } = openGroup();
    expect(() => machine.groups.openGroup(core.iommuGroup!.id, machine.process)).toThrow(
      expect.objectContaining({ code: 'EBUSY' }),
    );
  });

  it('[core:C1.17] knows its functions by name', () => {
    const { call, containerFd, setIommu, deviceFd } = openGroup();
    call(GROUP_SET_CONTAINER, words(containerFd));
    setIommu();
    expect(deviceFd('0000:00:04.0')).toBe(-ENODEV);
    expect(deviceFd('')).toBe(-ENODEV);
    expect(call(GROUP_GET_DEVICE_FD, BAD_POINTER)).toBe(-EFAULT);
    expect(deviceFd(NAME)).toBeGreaterThan(0);
  });

  it('[core:C1.18] opens none before it has an IOMMU', () => {
    const { call, containerFd, setIommu, deviceFd, core } = openGroup();
    expect(deviceFd(NAME)).toBe(-EINVAL);
    call(GROUP_SET_CONTAINER, words(containerFd));
    expect(deviceFd(NAME)).toBe(-EINVAL);
    expect(core.openCount).toBe(0);
    setIommu();
    expect(deviceFd(NAME)).toBeGreaterThan(0);
    expect(core.openCount).toBe(1);
  });

  it('[core:C1.19] keeps its container while a device is open, and has one to give back', () => {
    const { call, containerFd, setIommu, deviceFd, fds } = openGroup();
    expect(call(GROUP_UNSET_CONTAINER)).toBe(-EINVAL);
    call(GROUP_SET_CONTAINER, words(containerFd));
    setIommu();
    const fd = deviceFd(NAME);
    expect(call(GROUP_UNSET_CONTAINER)).toBe(-EBUSY);
    fds.close(fd);
    expect(call(GROUP_UNSET_CONTAINER)).toBe(0);
    expect(call(GROUP_UNSET_CONTAINER)).toBe(-EINVAL);
  });

  it('[core:C1.20] takes one container, and nothing else', () => {
    const { call, containerFd, fds, group } = openGroup();
    const set = (fd: number) => call(GROUP_SET_CONTAINER, words(fd));
    expect(call(GROUP_SET_CONTAINER, BAD_POINTER)).toBe(-EFAULT);
    expect(set(99)).toBe(-EBADF);
    expect(set(fds.install(new EventFd()))).toBe(-EBADFD);
    expect(set(fds.install(group))).toBe(-EBADFD);
    expect(set(containerFd)).toBe(0);
    expect(set(containerFd)).toBe(-EINVAL);
  });

  it('says that it can be used, and that it is', () => {
    const { machine, group, call, containerFd } = openGroup();
    const status = () => ioctl(group, machine.process, GROUP_GET_STATUS, 8, 0);
    expect(status()).toEqual([0, 8, 1]);
    call(GROUP_SET_CONTAINER, words(containerFd));
    expect(status()).toEqual([0, 8, 3]);
    expect(ioctl(group, machine.process, GROUP_GET_STATUS, 7, 0)[0]).toBe(-EINVAL);
  });

  it('stays as it is while a device is open, whoever closes it', () => {
    using adapter = openAdapter();
    const { machine, core, group, device, process } = adapter;
    group.close();
    expect(() => machine.groups.openGroup(core.iommuGroup!.id, process)).toThrow(
      expect.objectContaining({ code: 'EBUSY' }),
    );
    device.close();
    expect(machine.groups.openGroup(core.iommuGroup!.id, process).kind).toBe('group');
  });
});
