import { describe, expect, test } from 'vitest';
import {
  E2BIG,
  EACCES,
  EBADF,
  EBADFD,
  EBUSY,
  EFAULT,
  EINVAL,
  ENOENT,
  ENOTTY,
  EOPNOTSUPP,
  EPERM,
} from '../support/errno.js';
import { ARENA, HOLE, le, OtherFile, StubDevice } from '../support/host.js';
import { BoundDevice, MOCK_START, MockHost, OpenIommufd, SCRATCH } from '../support/iommufd.js';

const PAGE = 4096;

describe('a device’s own node', () => {
  test('[iommu:277] answers nothing before it is bound, is bound once, and not beside its group', () => {
    const mock = new MockHost();
    const device = mock.device();
    const file = mock.host.groups.deviceNode(0).open();
    const { process } = mock.host;
    expect([0x3b6b, 0x3b77, 0x3b78].map((command) => file.ioctl(command, le(64), process))).toEqual(
      Array(3).fill(EINVAL),
    );
    expect([
      file.read(0, 0, 4),
      file.pread(new Uint8Array(4), 0),
      file.mmap({ position: 0, length: 1, shared: true }),
    ]).toEqual(Array(3).fill(EINVAL));
    const bind = () => file.ioctl(0x3b76, le(24, [0, 4, 24], [8, 4, mock.iommufd.fd]), process);
    const group = mock.host.openGroup(device);
    expect(bind()).toBe(EBUSY);
    // That is looked at before the descriptor is.
    expect(file.ioctl(0x3b76, le(24, [0, 4, 24], [8, 4, 900]), process)).toBe(EBUSY);
    group.close();
    expect([bind(), bind()]).toEqual([0, EINVAL]);
    expect(file.read(0, 0, 4)).toBe(0);
  });

  test('[iommu:278] wants an iommufd', () => {
    const mock = new MockHost();
    mock.device();
    const file = mock.host.groups.deviceNode(0).open();
    const bind = (fd: number, argsz = 24, bytes = 24, tail = 0) => {
      const argument = le(bytes, [0, 4, argsz], [8, 4, fd >>> 0]);
      if (tail) argument[bytes - 1] = tail;
      return file.ioctl(0x3b76, argument, mock.host.process);
    };
    expect(bind(-1)).toBe(EINVAL);
    expect(bind(900)).toBe(EBADF);
    expect(bind(mock.host.fd(new OtherFile()))).toBe(EBADFD);
    expect(bind(mock.iommufd.fd, 15)).toBe(EINVAL);
    expect(bind(mock.iommufd.fd, 32, 32, 1)).toBe(E2BIG);
    expect(bind(mock.iommufd.fd, 16)).toBe(0);
  });

  test('asks for a token where the device has them', () => {
    const mock = new MockHost();
    const device = mock.device();
    device.matchToken = (token) => (token?.[0] === 0xaa ? 0 : EACCES);
    const file = mock.host.groups.deviceNode(0).open();
    mock.host.process.memory.write(SCRATCH, new Uint8Array(16).fill(0xaa));
    const bind = (flags: number, pointer: number) =>
      file.ioctl(
        0x3b76,
        le(24, [0, 4, 24], [4, 4, flags], [8, 4, mock.iommufd.fd], [16, 8, pointer]),
        mock.host.process,
      );
    expect([bind(0, 0), bind(1, HOLE), bind(2, 0), bind(1, SCRATCH)]).toEqual([
      EACCES,
      EFAULT,
      EINVAL,
      0,
    ]);
    const plain = mock.device();
    const other = mock.host.groups.deviceNodes.find((node) => node.device === plain)!.open();
    expect(
      other.ioctl(
        0x3b76,
        le(24, [0, 4, 24], [4, 4, 1], [8, 4, mock.iommufd.fd]),
        mock.host.process,
      ),
    ).toBe(EINVAL);
  });

  test('[iommu:279] is another way than the group: a descriptor from there cannot be bound', () => {
    const mock = new MockHost();
    const device = mock.host.device();
    const container = mock.host.ready(3, device);
    const file = container.group(device).getDevice(device.name, mock.host.process);
    expect(file.ioctl(0x3b76, le(24, [0, 4, 24], [8, 4, mock.iommufd.fd]), mock.host.process)).toBe(
      EINVAL,
    );
    expect(file.ioctl(0x3b77, le(16, [0, 4, 16]), mock.host.process)).toBe(ENOTTY);
  });

  test('[iommu:280] attaches to what there is, again elsewhere, and detaches as often as one likes', () => {
    const mock = new MockHost();
    const device = mock.bound();
    const [one, two] = [mock.iommufd.ioasAlloc(), mock.iommufd.ioasAlloc()];
    expect(device.attach(99)).toBe(ENOENT);
    expect(device.attach(device.id)).toBe(EINVAL);
    const hwpt = device.attach(one);
    expect(device.attach(two)).not.toBe(hwpt);
    expect([device.detach(), device.detach()]).toEqual([0, 0]);
    expect(device.attach(one, 1)).toBe(EOPNOTSUPP);
    expect(device.ioctl(0x3b77, le(16, [0, 4, 11]))).toBe(EINVAL);
    expect(device.ioctl(0x3b77, le(16, [0, 4, 12], [4, 4, 2]))).toBe(EINVAL);
    expect(device.ioctl(0x3b78, le(12, [0, 4, 7]))).toBe(EINVAL);
  });

  test('[iommu:281] of a group’s member wants the iommufd of the others', () => {
    const mock = new MockHost();
    const first = mock.device();
    const sibling = new StubDevice('0000:00:10.1', first.iommuGroup);
    mock.host.groups.register(sibling);
    expect(mock.iommufd.bind(first).ret).toBe(0);
    expect(new OpenIommufd(mock.host).bind(sibling).ret).toBe(EPERM);
    const bound = mock.iommufd.bind(sibling);
    expect(bound.ret).toBe(0);
    expect(mock.iommufd.file.sharesGroup(sibling)).toBe(true);
    expect(sibling.door!.devid!(sibling)).toBe(bound.id);
    expect(sibling.door!.devid!(mock.device())).toBeUndefined();
  });

  test('wants isolated interrupts, or a host that insists', () => {
    const mock = new MockHost();
    const device = mock.device({ isolatedMsi: false });
    expect(mock.iommufd.bind(device).ret).toBe(EPERM);
    mock.host.parameters.iommufdAllowUnsafeInterrupts = true;
    expect(mock.iommufd.bind(device)).toBeInstanceOf(BoundDevice);
  });

  test('keeps everything alive that its iommufd has', () => {
    const mock = new MockHost();
    const { ioas, devices } = mock.ioas(1);
    mock.iommufd.map(ioas, ARENA, PAGE, { iova: MOCK_START });
    mock.host.process.fds.close(mock.iommufd.fd);
    expect(devices[0]!.dma.read(MOCK_START, new Uint8Array(1))).toBe(1);
    devices[0]!.close();
    expect(devices[0]!.device.iommuGroup!.domain.name).toBe('identity');
  });
});
