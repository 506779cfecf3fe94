import { BareDevice } from '@vfiokit/iommu';
import { Process, VfioError } from '@vfiokit/uapi';
import { describe, expect, test } from 'vitest';
import {
  EACCES,
  EBADF,
  EBADFD,
  EBUSY,
  EFAULT,
  EINVAL,
  ENODEV,
  ENOTTY,
  EPERM,
} from '../support/errno.js';
import {
  ARENA,
  getDeviceFd,
  groupStatus,
  OtherFile,
  StubDevice,
  setContainer,
  TestHost,
  unsetContainer,
} from '../support/host.js';

const errnoOf = (action: () => unknown): number => {
  try {
    action();
    return 0;
  } catch (error) {
    if (error instanceof VfioError) return error.errno;
    throw error;
  }
};

describe('opening a group', () => {
  test('[iommu:13] is for one at a time', () => {
    const host = new TestHost();
    const device = host.device();
    host.openGroup(device);
    expect(errnoOf(() => host.openGroup(device))).toBe(EBUSY);
  });

  test('[iommu:14] a duplicate descriptor keeps it open when the first is closed', () => {
    const host = new TestHost();
    const device = host.device();
    const file = host.openGroup(device);
    const [fd, copy] = [host.fd(file), host.fd(file)];
    host.process.fds.close(fd);
    expect(errnoOf(() => host.openGroup(device))).toBe(EBUSY);
    host.process.fds.close(copy);
    expect(errnoOf(() => host.openGroup(device))).toBe(0);
  });

  test('[iommu:15] works again after a close', () => {
    const host = new TestHost();
    const device = host.device();
    host.openGroup(device).close();
    expect(errnoOf(() => host.openGroup(device))).toBe(0);
  });

  test('[iommu:16] is refused while a member is bound through its own node', () => {
    const host = new TestHost();
    const device = host.device();
    host.groups.deviceNode(0).open().bind(host.dev.openIommufd());
    expect(errnoOf(() => host.openGroup(device))).toBe(EBUSY);
  });

  test('[iommu:17] needs CAP_SYS_RAWIO for a group without an IOMMU', () => {
    const host = new TestHost({ parameters: { enableUnsafeNoiommuMode: true } });
    const device = new StubDevice('0000:00:03.0', undefined);
    host.groups.register(device);
    host.process.credentials.sysRawio = false;
    expect(errnoOf(() => host.openGroup(device))).toBe(EPERM);
  });

  test('[iommu:18] a group that has lost its last device cannot be opened, though its node was found', () => {
    const host = new TestHost();
    const device = host.device();
    const group = host.groups.groupOf(device)!;
    host.groups.unregister(device);
    expect(errnoOf(() => group.open(host.process))).toBe(ENODEV);
    expect(errnoOf(() => host.groups.openGroup(group.id, host.process))).toBe(-2);
  });

  test('a device that is about to leave has no node any more, and its group stays until it has left', () => {
    const host = new TestHost();
    const device = host.device();
    const file = host.openGroup(device);
    host.groups.withdraw(device);
    expect(host.groups.deviceNodes).toEqual([]);
    expect(errnoOf(() => host.openGroup(device))).toBe(EBUSY);
    expect(groupStatus(file, host.process)).toBe(1);
    host.groups.unregister(device);
    expect(groupStatus(file, host.process)).toBe(ENODEV);
  });

  test('a node is found by its path', () => {
    const host = new TestHost({ parameters: { enableUnsafeNoiommuMode: true } });
    host.device({ id: 7 });
    host.groups.register(new StubDevice('0000:00:03.0', undefined));
    const kinds = [
      '/dev/vfio/7',
      '/dev/vfio/noiommu-0',
      '/dev/vfio/vfio',
      '/dev/iommu',
      '/dev/vfio/devices/vfio0',
    ];
    expect(kinds.map((path) => host.dev.open(path, host.process).kind)).toEqual([
      'group',
      'group',
      'container',
      'iommufd',
      'device',
    ]);
    expect(errnoOf(() => host.dev.open('/dev/null', host.process))).toBe(-2);
    expect(errnoOf(() => host.dev.open('/dev/vfio/devices/vfio9', host.process))).toBe(-2);
  });
});

describe('ioctls of a group', () => {
  test('[iommu:19] unknown ones are ENOTTY', () => {
    const host = new TestHost();
    expect(host.openGroup(host.device()).ioctl(0x3b6b, 0, host.process)).toBe(ENOTTY);
  });

  test('[iommu:20] GET_STATUS wants its whole structure', () => {
    const host = new TestHost();
    expect(groupStatus(host.openGroup(host.device()), host.process, 7)).toBe(EINVAL);
  });

  test('[iommu:21] GET_STATUS faults on a bad pointer', () => {
    const host = new TestHost();
    const file = host.openGroup(host.device());
    expect(file.ioctl(0x3b67, undefined, host.process)).toBe(EFAULT);
    expect(file.ioctl(0x3b67, new Uint8Array(2), host.process)).toBe(EFAULT);
  });

  test('[iommu:22] GET_STATUS tells of a container', () => {
    const host = new TestHost();
    const device = host.device();
    const container = host.container();
    container.add(device);
    expect(groupStatus(container.group(device), host.process)).toBe(3);
  });

  test('[iommu:23] GET_STATUS calls a group with an iommufd viable even while a host driver is bound', () => {
    const host = new TestHost();
    const device = host.device();
    device.iommuGroup!.useDefaultDomain('0000:00:10.1 (e1000e)');
    const file = host.openGroup(device);
    expect(setContainer(file, host.fd(host.dev.openIommufd()), host.process)).toBe(0);
    expect(groupStatus(file, host.process)).toBe(3);
    expect(getDeviceFd(file, device.name, host.process)).toBe(EPERM);
  });

  test('[iommu:24] GET_STATUS is ENODEV once all devices are gone', () => {
    const host = new TestHost();
    const device = host.device();
    const file = host.openGroup(device);
    host.groups.unregister(device);
    expect(groupStatus(file, host.process)).toBe(ENODEV);
    expect(setContainer(file, host.container().fd, host.process)).toBe(ENODEV);
  });

  test('[iommu:25] SET_CONTAINER faults on a bad pointer', () => {
    const host = new TestHost();
    expect(host.openGroup(host.device()).ioctl(0x3b68, undefined, host.process)).toBe(EFAULT);
  });

  test('[iommu:26 iommu:28] SET_CONTAINER looks at the descriptor first, whatever the group has', () => {
    const host = new TestHost();
    const device = host.device();
    const container = host.container();
    container.add(device);
    expect(setContainer(container.group(device), 900, host.process)).toBe(EBADF);
    expect(setContainer(host.openGroup(host.device()), 900, host.process)).toBe(EBADF);
  });

  test('[iommu:27] SET_CONTAINER wants a container', () => {
    const host = new TestHost();
    const file = host.openGroup(host.device());
    expect(setContainer(file, host.fd(new OtherFile()), host.process)).toBe(EBADFD);
  });

  test('[iommu:29] SET_CONTAINER is for groups that have none', () => {
    const host = new TestHost();
    const device = host.device();
    const container = host.container();
    container.add(device);
    expect(setContainer(container.group(device), host.container().fd, host.process)).toBe(EINVAL);
  });

  test('[iommu:30 iommu:31] groups with and without an IOMMU do not share a container', () => {
    const host = new TestHost({ parameters: { enableUnsafeNoiommuMode: true } });
    const bare = new StubDevice('0000:00:03.0', undefined);
    host.groups.register(bare);
    const real = host.container();
    real.add(host.device());
    expect(real.add(bare)).toBe(EPERM);
    real.group(bare).close();
    const unsafe = host.container();
    expect(unsafe.add(bare)).toBe(0);
    expect(unsafe.add(host.device())).toBe(EPERM);
  });

  test('[iommu:32] a container that refuses gives the DMA back', () => {
    const host = new TestHost();
    const container = host.ready(3, host.device());
    const other = host.device({ caps: { isolatedMsi: false } });
    expect(container.add(other)).toBe(EPERM);
    expect(other.iommuGroup!.useDefaultDomain('0000:00:11.1 (e1000e)')).toBe(0);
  });

  test('[iommu:33] UNSET_CONTAINER wants one', () => {
    const host = new TestHost();
    expect(unsetContainer(host.openGroup(host.device()), host.process)).toBe(EINVAL);
  });

  test('[iommu:34 iommu:35] UNSET_CONTAINER waits until devices are closed', () => {
    const host = new TestHost();
    const device = host.device();
    const file = host.ready(3, device).group(device);
    const fd = getDeviceFd(file, device.name, host.process);
    expect(unsetContainer(file, host.process)).toBe(EBUSY);
    host.process.fds.close(fd);
    expect(unsetContainer(file, host.process)).toBe(0);
  });

  test('[iommu:36 iommu:37] a container without groups has no IOMMU, and can be given another one', () => {
    const host = new TestHost();
    const device = host.device();
    const container = host.ready(3, device);
    container.map(0, ARENA, 0x1000);
    unsetContainer(container.group(device), host.process);
    expect(container.map(0, ARENA, 0x1000)).toBe(EINVAL);
    setContainer(container.group(device), container.fd, host.process);
    expect(container.setIommu(1)).toBe(0);
    expect(container.unmap(0, 0, { flags: 2 })).toBe(0n);
    expect(container.available()).toBe(65535);
  });
});

describe('devices of a group', () => {
  test('[iommu:38 iommu:39] GET_DEVICE_FD wants a container, and that with an IOMMU', () => {
    const host = new TestHost();
    const device = host.device();
    const file = host.openGroup(device);
    expect(getDeviceFd(file, device.name, host.process)).toBe(EINVAL);
    setContainer(file, host.container().fd, host.process);
    expect(getDeviceFd(file, device.name, host.process)).toBe(EINVAL);
  });

  test('[iommu:40] GET_DEVICE_FD looks the name up before anything else', () => {
    const host = new TestHost();
    const device = host.device();
    expect(getDeviceFd(host.openGroup(device), '0000:ff:1f.7', host.process)).toBe(ENODEV);
    const other = host.device();
    expect(getDeviceFd(host.ready(3, other).group(other), 'x', host.process)).toBe(ENODEV);
  });

  test('[iommu:41] GET_DEVICE_FD faults on a name that cannot be read', () => {
    const host = new TestHost();
    const file = host.openGroup(host.device());
    expect(file.ioctl(0x3b6a, undefined, host.process)).toBe(EFAULT);
    expect(file.ioctl(0x3b6a, new Uint8Array([0x30]), host.process)).toBe(EFAULT);
    expect(file.ioctl(0x3b6a, new Uint8Array(5000).fill(0x30), host.process)).toBe(EINVAL);
  });

  test('[iommu:42] a device opened twice is one to its container', () => {
    const host = new TestHost();
    const device = host.device();
    const file = host.ready(3, device).group(device);
    const first = getDeviceFd(file, device.name, host.process);
    const second = getDeviceFd(file, device.name, host.process);
    expect(first).not.toBe(second);
    host.process.fds.close(first);
    expect(unsetContainer(file, host.process)).toBe(EBUSY);
    host.process.fds.close(second);
    expect(unsetContainer(file, host.process)).toBe(0);
  });

  test('[iommu:43 iommu:44] an open device keeps its group as it is, and lets go of it at last', () => {
    const host = new TestHost();
    const device = host.device();
    const container = host.ready(3, device);
    const fd = getDeviceFd(container.group(device), device.name, host.process);
    container.map(0x10000, ARENA, 0x1000);
    host.process.fds.close(container.groupFds.get(device)!);
    expect(errnoOf(() => host.openGroup(device))).toBe(EBUSY);
    expect(device.iommuGroup!.dma.read(0x10000, new Uint8Array(4))).toBe(4);
    host.process.fds.close(fd);
    expect(device.iommuGroup!.ownerClaimed).toBe(false);
    expect(errnoOf(() => host.openGroup(device))).toBe(0);
  });

  test('[iommu:45] mappings live on without the container’s descriptor', () => {
    const host = new TestHost();
    const device = host.device();
    const container = host.ready(3, device);
    container.map(0x10000, ARENA, 0x1000);
    container.close();
    expect(device.iommuGroup!.dma.read(0x10000, new Uint8Array(4))).toBe(4);
  });

  test('[iommu:47] a token that is missing ends the search', () => {
    const host = new TestHost();
    const device = host.device();
    device.match = () => EACCES;
    const file = host.ready(3, device).group(device);
    expect(getDeviceFd(file, device.name, host.process)).toBe(EACCES);
  });

  test('[iommu:48] a token that a device has no use for ends the search', () => {
    const host = new TestHost();
    const device = host.device();
    device.match = (text) => (text.includes(' vf_token=') ? EINVAL : 1);
    const file = host.ready(3, device).group(device);
    const token = 'vf_token=11111111-2222-3333-4444-555555555555';
    expect(getDeviceFd(file, `${device.name} ${token}`, host.process)).toBe(EINVAL);
  });

  test('a device that is going away is not found any more', () => {
    const host = new TestHost();
    const device = host.device();
    const file = host.ready(3, device).group(device);
    device.goingAway = true;
    expect(getDeviceFd(file, device.name, host.process)).toBe(ENODEV);
  });

  test('without a free descriptor nothing stays open', () => {
    const host = new TestHost();
    const device = host.device();
    const file = host.ready(3, device).group(device);
    const full = new Process();
    full.fds.install = () => -24;
    expect(getDeviceFd(file, device.name, full)).toBe(-24);
    expect(device.openCount).toBe(0);
  });

  test('a bare device has DMA and no regions, through either door', () => {
    const host = new TestHost();
    const device = new BareDevice('0000:00:02.0', host.iommuGroup());
    host.groups.register(device);
    const container = host.container();
    container.add(device);
    const file = container.group(device);
    expect(getDeviceFd(file, '0000:00:02.0', host.process)).toBe(EINVAL);
    container.setIommu(3);
    expect(getDeviceFd(file, '0000:00:02.1', host.process)).toBe(ENODEV);
    const opened = file.getDevice('0000:00:02.0', host.process);
    expect([opened.read(7, 0, 4), opened.ioctl(0x3b6b, 0, host.process)]).toEqual([EINVAL, -25]);
    opened.close();
    opened.close();
    expect(device.openCount).toBe(0);
    host.process.fds.close(container.groupFds.get(device)!);
    const node = host.groups.deviceNode(0).open();
    expect(node.bind(host.dev.openIommufd())).toBeGreaterThan(0);
    const again = host.groups.deviceNode(0).open();
    expect(again.bind(host.dev.openIommufd())).toBe(EINVAL);
  });

  test('holds tells whose devices a group has', () => {
    const host = new TestHost();
    const [mine, other] = [host.device(), host.device()];
    const file = host.openGroup(mine);
    expect([file.holds(mine), file.holds(other)]).toEqual([true, false]);
  });

  test('getDevice says what is wrong', () => {
    const host = new TestHost();
    const device = host.device({ name: '0000:00:02.0', id: 7 });
    const file = host.openGroup(device);
    expect(() => file.getDevice('0000:00:03.0', host.process)).toThrow(
      '0000:00:03.0: group 7 has no such device, or its token is wrong',
    );
    expect(() => file.getDevice('0000:00:02.0', host.process)).toThrow(
      '0000:00:02.0: group 7 has no container; set one first',
    );
  });
});

describe('registering devices', () => {
  test('[iommu:49] a device without an IOMMU is refused', () => {
    const host = new TestHost();
    expect(errnoOf(() => host.groups.register(new StubDevice('0000:00:03.0', undefined)))).toBe(
      EINVAL,
    );
  });

  test('[iommu:50] unless unsafe mode is on, which taints the kernel', () => {
    const host = new TestHost({ parameters: { enableUnsafeNoiommuMode: true } });
    const group = host.groups.register(new StubDevice('0000:00:03.0', undefined));
    expect(group.nodeName).toBe('noiommu-0');
    expect(group.iommuGroup.name).toBe('vfio-noiommu');
    expect(host.groups.taints).toHaveLength(1);
    expect(host.groups.deviceNodes).toEqual([]);
  });

  test('[iommu:51] a device behind an IOMMU that is not coherent is refused', () => {
    const host = new TestHost();
    const group = host.iommuGroup({ caps: { cacheCoherent: false } });
    expect(errnoOf(() => host.groups.register(new StubDevice('0000:00:03.0', group)))).toBe(EINVAL);
  });

  test('[iommu:52] each mediated device has a group of its own', () => {
    const host = new TestHost();
    const [one, two] = [host.emulated('mdev0'), host.emulated('mdev1')];
    const ids = [one, two].map((device) => host.groups.groupOf(device)!.id);
    expect(new Set(ids).size).toBe(2);
    host.groups.unregister(one);
    expect(host.iommuGroups.get(ids[0]!)).toBeUndefined();
  });
});

describe('groups without an IOMMU', () => {
  const bare = () => {
    const host = new TestHost({ parameters: { enableUnsafeNoiommuMode: true } });
    const device = new StubDevice('0000:00:03.0', undefined);
    host.groups.register(device);
    const container = host.container();
    container.add(device);
    return { host, device, container };
  };

  test('[iommu:53] get the IOMMU that is none, which maps nothing', () => {
    const { host, device, container } = bare();
    expect(container.checkExtension(8)).toBe(1);
    expect(container.setIommu(8)).toBe(0);
    expect(container.map(0, ARENA, 0x1000)).toBe(ENOTTY);
    expect(getDeviceFd(container.group(device), device.name, host.process)).toBeGreaterThan(0);
  });

  test('[iommu:54] get no other', () => {
    const { container } = bare();
    expect([1, 3].map((type) => container.setIommu(type))).toEqual([ENODEV, ENODEV]);
  });

  test('[iommu:55] and groups with one do not get that', () => {
    const host = new TestHost({ parameters: { enableUnsafeNoiommuMode: true } });
    const container = host.container();
    container.add(host.device());
    expect(container.setIommu(8)).toBe(ENODEV);
  });

  test('need CAP_SYS_RAWIO at every step', () => {
    const { host, device, container } = bare();
    host.process.credentials.sysRawio = false;
    expect(container.setIommu(8)).toBe(EPERM);
    host.process.credentials.sysRawio = true;
    container.setIommu(8);
    host.process.credentials.sysRawio = false;
    expect(getDeviceFd(container.group(device), device.name, host.process)).toBe(EPERM);
    unsetContainer(container.group(device), host.process);
    expect(setContainer(container.group(device), container.fd, host.process)).toBe(EPERM);
  });
});
