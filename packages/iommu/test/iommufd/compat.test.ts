import { KERNEL_QUIRKS } from '@vfiokit/iommu';
import { describe, expect, test } from 'vitest';
import { Compat } from '../support/compat.js';
import {
  EBUSY,
  EEXIST,
  EFAULT,
  EINVAL,
  ENODEV,
  ENOENT,
  ENOTTY,
  EOVERFLOW,
  EPERM,
} from '../support/errno.js';
import {
  ARENA,
  getDeviceFd,
  groupStatus,
  HOLE,
  le,
  StubDevice,
  setContainer,
  TestHost,
  unsetContainer,
} from '../support/host.js';
import { OpenIommufd } from '../support/iommufd.js';

const PAGE = 4096;

describe('VFIO’s calls on /dev/iommu', () => {
  test('[iommu:282] take a type once a group is there, as often as one likes', () => {
    const host = new TestHost();
    const iommufd = new OpenIommufd(host);
    expect(iommufd.file.ioctl(0x3b66, 3, host.process)).toBe(ENODEV);
    const compat = new Compat();
    expect([3, 1, 3].map((type) => compat.ioctl(0x3b66, type))).toEqual([0, 0, 0]);
    expect([2, 7, 8].map((type) => compat.ioctl(0x3b66, type))).toEqual([EINVAL, EINVAL, EINVAL]);
    expect(compat.ioctl(0x3b64)).toBe(0);
  });

  test('look at alignment before they look at wrap-around, and at every bit of an address', () => {
    const compat = new Compat(3);
    const last = 2n ** 64n - 4096n;
    expect(compat.map(last + 1n, ARENA, 2 * PAGE)).toBe(EINVAL);
    expect(compat.map(last, ARENA, 2 * PAGE)).toBe(EOVERFLOW);
    expect(compat.map(2n ** 47n + 1n, ARENA, PAGE)).toBe(EINVAL);
    expect(compat.map(2n ** 40n, ARENA, PAGE)).toBe(0);
    const bare = new OpenIommufd(new TestHost());
    bare.vfioIoas(1, bare.ioasAlloc());
    const map = (iova: bigint) =>
      bare.file.ioctl(
        0x3b71,
        le(32, [0, 4, 32], [4, 4, 3], [8, 8, ARENA], [16, 8, iova], [24, 8, PAGE]),
        bare.process,
      );
    expect([map(2n ** 60n + 1n), map(2n ** 60n)]).toEqual([EINVAL, 0]);
  });

  test('say that devices without an IOMMU can be served, enabled or not', () => {
    const iommufd = new OpenIommufd(new TestHost());
    expect(iommufd.file.ioctl(0x3b65, 8, iommufd.process)).toBe(1);
    expect(iommufd.file.ioctl(0x3b66, 8, iommufd.process)).toBe(EINVAL);
  });

  test('[iommu:283] track no dirty pages and move no virtual addresses', () => {
    const compat = new Compat(3);
    expect(compat.ioctl(0x3b75, le(8, [0, 4, 8], [4, 4, 1]))).toBe(ENOTTY);
    expect(compat.unmap(0, PAGE, 1)[0]).toBe(EINVAL);
    expect(compat.map(0, ARENA, PAGE, 4)).toBe(EINVAL);
  });

  test('[iommu:284] of v1 split what is unmapped in part; of v2 find it missing; type1 v2 finds it wrong', () => {
    const [v1, v2] = [new Compat(1), new Compat(3)];
    for (const compat of [v1, v2]) compat.map(0, ARENA, 4 * PAGE);
    expect(v1.unmap(PAGE, PAGE)).toEqual([0, BigInt(PAGE)]);
    expect(v2.unmap(PAGE, PAGE)).toEqual([ENOENT, 0n]);
    const reach = (compat: Compat) =>
      [0, 1, 2, 3].map((page) => compat.device.iommuGroup!.dma.translate(page * PAGE, 1)?.offset);
    expect(reach(v1)).toEqual([0, undefined, 2 * PAGE, 3 * PAGE]);
    expect(reach(v2)).toEqual([0, PAGE, 2 * PAGE, 3 * PAGE]);
    const host = new TestHost();
    const container = host.ready(3, host.device());
    container.map(0, ARENA, 4 * PAGE);
    expect(container.unmap(PAGE, PAGE)).toBe(EINVAL);
  });

  test('[iommu:285] see no end to mappings and no migration', () => {
    const compat = new Compat(3);
    const info = compat.info(24 + 16 + 16 + 16);
    const ids: number[] = [];
    for (let at = info.getUint32(16, true); at !== 0; at = info.getUint32(at + 4, true))
      ids.push(info.getUint16(at, true));
    expect(ids).toEqual([3, 1]);
    expect(info.getUint32(24 + 8, true)).toBe(0xffffffff);
    expect(info.getBigUint64(8, true)).toBe(0x201000n);
  });

  test('[iommu:286 iommu:287] can be given an IOAS, and lose it', () => {
    const host = new TestHost();
    const iommufd = new OpenIommufd(host);
    expect(iommufd.vfioIoas(0)).toBe(ENODEV);
    expect(iommufd.vfioIoas(1, 9)).toBe(ENOENT);
    const ioas = iommufd.ioasAlloc();
    expect(iommufd.vfioIoas(1, ioas)).toBe(0);
    expect(iommufd.vfioIoas(0)).toBe(ioas);
    expect(iommufd.vfioIoas(2)).toBe(0);
    expect(iommufd.vfioIoas(0)).toBe(ENODEV);
    iommufd.vfioIoas(1, ioas);
    expect(iommufd.destroy(ioas)).toBe(0);
    expect(iommufd.vfioIoas(0)).toBe(ENODEV);
    expect(iommufd.vfioIoas(3)).toBe(-95);
  });

  test('answer for extensions as type1 does, but for what they do not have', () => {
    const compat = new Compat(3);
    const answers = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((extension) =>
      compat.ioctl(0x3b65, extension),
    );
    expect(answers).toEqual([1, 0, 1, 1, 0, 0, 0, 1, 1, 0]);
    const host = new TestHost();
    expect(new OpenIommufd(host).file.ioctl(0x3b65, 4, host.process)).toBe(ENODEV);
  });

  test('always tell how much room GET_INFO takes, and deliver what fits', () => {
    const compat = new Compat(3);
    const short = compat.info(40);
    expect([
      short.getUint32(0, true),
      short.getUint32(16, true),
      short.getUint16(24, true),
    ]).toEqual([72, 0, 3]);
    expect(compat.info(72).getUint32(16, true)).toBe(24);
    expect(compat.info(200).getUint32(0, true)).toBe(72);
  });

  test('map what does not overlap and is memory, with or without permission', () => {
    const compat = new Compat(3);
    expect(compat.map(0, ARENA, PAGE, 0)).toBe(0);
    expect(compat.map(0, ARENA, PAGE)).toBe(EEXIST);
    expect(compat.map(PAGE, HOLE, PAGE)).toBe(EFAULT);
    expect(compat.map(-4096, ARENA, 2 * PAGE)).toBe(EOVERFLOW);
    expect(compat.map(PAGE, ARENA, 0)).toBe(EINVAL);
    const sane = new Compat(3, { ...KERNEL_QUIRKS, compatMapsWithoutAccess: false });
    expect(sane.map(0, ARENA, PAGE, 0)).toBe(EINVAL);
  });

  test('unmap holes, and everything at once', () => {
    const compat = new Compat(3);
    compat.map(0, ARENA, PAGE);
    expect(compat.unmap(0x100000, PAGE)).toEqual([0, 0n]);
    expect(compat.unmap(0, 0, 2)).toEqual([0, BigInt(PAGE)]);
    expect(compat.unmap(0, PAGE, 2)[0]).toBe(EINVAL);
    expect(compat.unmap(-4096, 2 * PAGE)[0]).toBe(EOVERFLOW);
    expect(compat.unmap(0, 0)[0]).toBe(EINVAL);
  });

  test('answer at the containers’ own node where the kernel is built so', () => {
    const host = new TestHost({ parameters: { iommufdVfioContainer: true } });
    expect(host.dev.open('/dev/vfio/vfio', host.process).kind).toBe('iommufd');
  });

  test('work without a type, but not without an IOAS', () => {
    const compat = new Compat();
    expect(compat.map(0, ARENA, PAGE)).toBe(0);
    compat.iommufd.vfioIoas(2);
    expect([compat.map(PAGE, ARENA, PAGE), compat.unmap(0, PAGE)[0]]).toEqual([ENODEV, ENODEV]);
  });
});

describe('groups on an iommufd', () => {
  test('are claimed when a device is opened, and let go when it is closed', () => {
    const compat = new Compat(3);
    expect(compat.device.iommuGroup!.ownerClaimed).toBe(true);
    const fds = compat.host.process.fds;
    for (let fd = 3; fd < 64; fd += 1) if (fds.get(fd)?.kind === 'device') fds.close(fd);
    expect(compat.device.iommuGroup!.ownerClaimed).toBe(false);
  });

  test('can be unset while devices are open, unless the quirk is off', () => {
    const results = [true, false].map((iommufdUnsetIgnoresOpenDevices) => {
      const compat = new Compat(3, { ...KERNEL_QUIRKS, iommufdUnsetIgnoresOpenDevices });
      return compat.host.groups.groupOf(compat.device)!.unsetContainer();
    });
    expect(results).toEqual([0, -16]);
  });

  test('of emulated devices reach the same address space', () => {
    const compat = new Compat(3);
    const mdev = compat.host.emulated();
    const file = compat.host.openGroup(mdev);
    setContainer(file, compat.iommufd.fd, compat.host.process);
    expect(groupStatus(file, compat.host.process)).toBe(3);
    getDeviceFd(file, mdev.name, compat.host.process);
    compat.map(0, ARENA, PAGE);
    expect(mdev.door!.pages!.write(0, Uint8Array.of(9))).toBe(0);
    expect(compat.host.arena[0]).toBe(9);
  });

  test('of emulated devices keep what they have pinned from being cut', () => {
    const compat = new Compat(1);
    const mdev = compat.host.emulated();
    const file = compat.host.openGroup(mdev);
    setContainer(file, compat.iommufd.fd, compat.host.process);
    getDeviceFd(file, mdev.name, compat.host.process);
    compat.map(0, ARENA, 4 * PAGE);
    const { pages } = mdev.door!;
    expect(pages!.pinPages(3 * PAGE, 1, 1)).toHaveLength(1);
    expect(compat.unmap(PAGE, PAGE)[0]).toBe(EBUSY);
    expect(compat.device.iommuGroup!.dma.translate(PAGE, 1)).toBeDefined();
    pages!.unpinPages(3 * PAGE, 1);
    expect(compat.unmap(PAGE, PAGE)).toEqual([0, BigInt(PAGE)]);
  });

  test('keep it alive until the last of them is closed', () => {
    const compat = new Compat(3);
    compat.map(0, ARENA, PAGE);
    const { fds } = compat.host.process;
    fds.close(compat.iommufd.fd);
    expect(compat.iommufd.file.snapshots()).toHaveLength(1);
    for (let fd = 3; fd < 64; fd += 1) if (fds.get(fd)) fds.close(fd);
    expect(compat.iommufd.file.snapshots()).toHaveLength(1);
    compat.group.close();
    expect(compat.iommufd.file.snapshots()).toEqual([]);
    expect(compat.host.process.lockedBytes).toBe(0);
  });

  test('without an IOMMU switch it to serving those, and no others', () => {
    const host = new TestHost({ parameters: { enableUnsafeNoiommuMode: true } });
    const bare = new StubDevice('0000:00:03.0', undefined);
    host.groups.register(bare);
    const iommufd = new OpenIommufd(host);
    const file = host.openGroup(bare);
    expect(setContainer(file, iommufd.fd, host.process)).toBe(0);
    expect(iommufd.file.ioctl(0x3b66, 8, host.process)).toBe(0);
    expect(iommufd.file.ioctl(0x3b65, 1, host.process)).toBe(0);
    expect(iommufd.file.ioctl(0x3b65, 8, host.process)).toBe(1);
    expect(getDeviceFd(file, bare.name, host.process)).toBeGreaterThan(0);
    const real = host.openGroup(host.device());
    expect(setContainer(real, iommufd.fd, host.process)).toBe(EINVAL);
    host.process.credentials.sysRawio = false;
    expect(iommufd.file.ioctl(0x3b66, 8, host.process)).toBe(EPERM);
    const other = new OpenIommufd(host);
    setContainer(real, other.fd, host.process);
    host.process.credentials.sysRawio = true;
    unsetContainer(file, host.process);
    expect(setContainer(file, other.fd, host.process)).toBe(EINVAL);
  });
});
