import { describe, expect, test } from 'vitest';
import { EBADF, EINVAL } from '../support/errno.js';
import { ARENA, getDeviceFd, le, setContainer, TestHost } from '../support/host.js';
import { OpenIommufd } from '../support/iommufd.js';

describe('files that are used after they were closed, or closed twice', () => {
  test('descriptors are closed once', () => {
    const host = new TestHost();
    const { fds } = host.process;
    for (const file of [
      host.dev.openContainer(),
      host.openGroup(host.device()),
      host.dev.openIommufd(),
    ]) {
      const fd = host.fd(file);
      expect([fds.close(fd), fds.close(fd)]).toEqual([0, EBADF]);
    }
  });

  test('a closed container is no container for a group any more', () => {
    const host = new TestHost();
    const container = host.container();
    container.close();
    expect(setContainer(host.openGroup(host.device()), container.fd, host.process)).toBe(EBADF);
  });

  test('whoever kept a group’s file finds a group without a container', () => {
    const host = new TestHost();
    const device = host.device();
    const container = host.ready(3, device);
    container.map(0, ARENA, 0x1000);
    const file = container.group(device);
    host.process.fds.close(container.groupFds.get(device)!);
    expect(host.process.lockedBytes).toBe(0);
    expect(getDeviceFd(file, device.name, host.process)).toBe(EINVAL);
    file.close();
    expect(() => host.openGroup(device)).not.toThrow();
  });

  test('a device that is closed twice lets go of its group once', () => {
    const host = new TestHost();
    const device = host.device();
    const node = host.groups.deviceNode(0).open();
    const iommufd = new OpenIommufd(host);
    node.bind(iommufd.file);
    node.close();
    node.close();
    expect(device.iommuGroup!.ownerClaimed).toBe(false);
    expect(node.ioctl(0x3b77, le(16, [0, 4, 16], [8, 4, 1]), host.process)).toBe(EINVAL);
    expect(host.openGroup(device).group.opened).toBe(true);
  });

  test('an iommufd that is closed has nothing left', () => {
    const host = new TestHost();
    const iommufd = new OpenIommufd(host);
    const ioas = iommufd.ioasAlloc();
    iommufd.map(ioas, ARENA, 0x1000, { iova: 0 });
    host.process.fds.close(iommufd.fd);
    expect(iommufd.unmapAll(ioas)).toBe(-2);
    expect(iommufd.file.snapshots()).toEqual([]);
  });

  test('a process that exits leaves nothing locked and no group owned', () => {
    const host = new TestHost();
    const device = host.device();
    const container = host.ready(3, device);
    container.map(0, ARENA, 0x10000);
    getDeviceFd(container.group(device), device.name, host.process);
    host.process.exit();
    expect([host.process.lockedBytes, device.iommuGroup!.ownerClaimed, device.openCount]).toEqual([
      0,
      false,
      0,
    ]);
  });
});
