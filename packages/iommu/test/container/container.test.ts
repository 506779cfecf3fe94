import { DMA_READ } from '@vfiokit/iommu';
import { describe, expect, test } from 'vitest';
import { EBUSY, EINVAL, ENODEV, ENOTTY, EPERM } from '../support/errno.js';
import { ARENA, getDeviceFd, le, setContainer, TestHost, unsetContainer } from '../support/host.js';

describe('a container without an IOMMU', () => {
  test('[iommu:66] has API version 0', () => {
    expect(new TestHost().container().ioctl(0x3b64)).toBe(0);
  });

  test('[iommu:67] tells what the host offers', () => {
    const container = new TestHost().container();
    expect([1, 3, 9].map((extension) => container.checkExtension(extension))).toEqual([1, 1, 1]);
  });

  test('[iommu:70 iommu:72] promises neither cache coherency nor nesting', () => {
    const host = new TestHost();
    const container = host.container();
    expect([4, 6].map((extension) => container.checkExtension(extension))).toEqual([0, 0]);
    for (const caps of [{}, { nesting: 1 }])
      expect(host.ready(3, host.device({ caps })).checkExtension(6)).toBe(0);
  });

  test('[iommu:74] cannot be given one without groups', () => {
    expect(new TestHost().container().setIommu(3)).toBe(EINVAL);
  });

  test('[iommu:80 iommu:81] answers EINVAL to everything else, whatever the argument', () => {
    const host = new TestHost();
    const container = host.container();
    container.add(host.device());
    expect(container.ioctl(0x3b71, undefined)).toBe(EINVAL);
    expect(container.map(0, ARENA, 0x1000)).toBe(EINVAL);
    expect(container.ioctl(0x3b00 + 130)).toBe(EINVAL);
    container.setIommu(3);
    expect(container.ioctl(0x3b00 + 130)).toBe(ENOTTY);
  });
});

describe('giving a container an IOMMU', () => {
  test('[iommu:75] happens once', () => {
    const host = new TestHost();
    const container = host.ready(3, host.device());
    expect([3, 1].map((type) => container.setIommu(type))).toEqual([EINVAL, EINVAL]);
  });

  test('[iommu:76 iommu:77] wants a type that somebody offers', () => {
    const host = new TestHost();
    const container = host.container();
    container.add(host.device());
    expect([77, 6, 4, 10].map((type) => container.setIommu(type))).toEqual(Array(4).fill(ENODEV));
  });

  test('[iommu:78] wants a type, not just an extension', () => {
    const host = new TestHost();
    const container = host.container();
    container.add(host.device());
    expect(container.setIommu(9)).toBe(EINVAL);
  });

  test('[iommu:79] wants isolated interrupts, unless the host insists', () => {
    const host = new TestHost();
    const container = host.container();
    container.add(host.device({ caps: { isolatedMsi: false } }));
    expect(container.setIommu(3)).toBe(EPERM);
    expect(container.file.iommu).toBeUndefined();
    host.parameters.allowUnsafeInterrupts = true;
    expect(container.setIommu(3)).toBe(0);
  });

  test('an IOMMU that refuses the second of two groups is not left with the first', () => {
    const host = new TestHost();
    const [good, bad] = [host.device(), host.device({ caps: { isolatedMsi: false } })];
    const container = host.container();
    container.add(good);
    container.add(bad);
    expect(container.setIommu(3)).toBe(EPERM);
    expect(good.iommuGroup!.domain.name).toBe('blocking');
    unsetContainer(container.group(bad), host.process);
    expect(container.setIommu(3)).toBe(0);
  });
});

describe('what a container with an IOMMU offers', () => {
  test('[iommu:68 iommu:69] new virtual addresses, as long as no group is emulated', () => {
    const host = new TestHost();
    expect(host.container().checkExtension(10)).toBe(0);
    const container = host.ready(3, host.device());
    expect(container.checkExtension(10)).toBe(1);
    container.add(host.emulated());
    expect(container.checkExtension(10)).toBe(0);
  });

  test('[iommu:71] cache coherency, if all of its domains enforce it', () => {
    const host = new TestHost();
    const container = host.ready(3, host.device());
    expect(container.checkExtension(4)).toBe(1);
    container.add(host.device({ caps: { enforcesCacheCoherency: false } }));
    expect(container.checkExtension(4)).toBe(0);
  });

  test('[iommu:73] only what its own IOMMU has, whatever the host offers', () => {
    const host = new TestHost({ backends: ['type1', 'spapr-tce', 'noiommu'] });
    expect(host.container().checkExtension(2)).toBe(1);
    expect(host.ready(3, host.device()).checkExtension(2)).toBe(0);
  });
});

describe('containers and groups', () => {
  test('[iommu:82] two containers are two address spaces', () => {
    const host = new TestHost();
    const [one, two] = [host.device(), host.device()];
    const [first, second] = [host.ready(3, one), host.ready(3, two)];
    host.arena[0] = 1;
    host.arena[0x1000] = 2;
    first.map(0x10000, ARENA, 0x1000);
    second.map(0x10000, ARENA + 0x1000, 0x1000);
    const seen = [one, two].map((device) => {
      const byte = new Uint8Array(1);
      device.iommuGroup!.dma.read(0x10000, byte);
      return byte[0];
    });
    expect(seen).toEqual([1, 2]);
  });

  test('[iommu:83] a group that joins sees what is mapped', () => {
    const host = new TestHost();
    const container = host.ready(3, host.device());
    container.map(0x10000, ARENA, 0x1000);
    const late = host.device({ caps: { driver: 'other-iommu' } });
    expect(container.add(late)).toBe(0);
    expect(late.iommuGroup!.dma.translate(0x10000, DMA_READ)).toBeDefined();
  });

  test('[iommu:84 iommu:85] a group that cannot use what is mapped does not join, unless it can be relaxed', () => {
    const host = new TestHost();
    const container = host.ready(3, host.device());
    container.map(0x10000, ARENA, 0x1000);
    const region = { start: 0x10000n, end: 0x1ffffn };
    const strict = host.device({ reserved: [{ ...region, type: 'direct' }] });
    const relaxable = host.device({ reserved: [{ ...region, type: 'direct-relaxable' }] });
    expect(container.add(strict)).toBe(EINVAL);
    expect(container.add(relaxable)).toBe(0);
  });

  test('[iommu:86] a group that does not reach what is mapped does not join', () => {
    const host = new TestHost();
    const container = host.ready(3, host.device());
    container.map(0x1_0000_0000, ARENA, 0x1000);
    const short = host.device({ caps: { aperture: { start: 0, end: 2 ** 32 } } });
    expect(container.add(short)).toBe(EINVAL);
    container.unmap(0x1_0000_0000, 0x1000);
    container.group(short).close();
    expect(container.add(short)).toBe(0);
    expect(container.ranges()).toEqual(['0-ffffffff']);
  });

  test('[iommu:87] a group is in a container once', () => {
    const host = new TestHost();
    const device = host.device();
    const container = host.ready(3, device);
    expect(container.file.iommu!.attachGroup(host.groups.groupOf(device)!)).toBe(EINVAL);
  });

  test('[iommu:88] no group joins while a virtual address is withdrawn', () => {
    const host = new TestHost();
    const container = host.ready(3, host.device());
    container.map(0x10000, ARENA, 0x1000);
    container.unmap(0x10000, 0x1000, { flags: 4 });
    expect(container.add(host.device())).toBe(EBUSY);
  });

  test('[iommu:89] an emulated group joins whatever interrupts do', () => {
    const host = new TestHost();
    expect(host.ready(3, host.emulated()).file.iommu).toBeDefined();
  });

  test('groups that leave no address do not share', () => {
    const host = new TestHost();
    const low = host.device({ caps: { aperture: { start: 0, end: 2 ** 20 } } });
    const high = host.device({ caps: { aperture: { start: 2 ** 20, end: 2 ** 21 } } });
    expect(host.ready(3, low).add(high)).toBe(EINVAL);
    const nowhere = host.device({
      caps: { aperture: { start: 0, end: 2 ** 20 } },
      reserved: [{ start: 0n, end: 0xfffffn, type: 'reserved' }],
    });
    const container = host.container();
    container.add(nowhere);
    expect(container.setIommu(3)).toBe(EINVAL);
  });

  test('what a leaving group has reserved can be used again', () => {
    const host = new TestHost();
    const reserved = [{ start: 0x100000n, end: 0x1fffffn, type: 'reserved' }] as const;
    const [plain, picky] = [host.device(), host.device({ reserved })];
    const container = host.ready(3, plain, picky);
    expect(container.map(0x100000, ARENA, 0x1000)).toBe(EINVAL);
    unsetContainer(container.group(picky), host.process);
    expect(container.map(0x100000, ARENA, 0x1000)).toBe(0);
  });

  test('a group is in one container at a time', () => {
    const host = new TestHost();
    const device = host.device();
    const container = host.ready(3, device);
    expect(setContainer(container.group(device), host.container().fd, host.process)).toBe(EINVAL);
    expect(getDeviceFd(container.group(device), device.name, host.process)).toBeGreaterThan(0);
  });

  test('a device that leaves VFIO takes its group out of the container', () => {
    const host = new TestHost();
    const device = host.device();
    const container = host.ready(3, device);
    host.groups.unregister(device);
    expect(container.file.groups).toEqual([]);
    expect(device.iommuGroup!.ownerClaimed).toBe(false);
  });

  test('6.12 offers a nesting type that it then refuses, and finds ranges that wrap invalid', () => {
    const host = new TestHost({ parameters: { release: '6.12' } });
    const container = host.container();
    container.add(host.device());
    expect(container.checkExtension(6)).toBe(1);
    expect(container.setIommu(6)).toBe(EINVAL);
    container.setIommu(3);
    expect(container.map(0xffff_ffff_ffff_f000n, ARENA, 0x2000)).toBe(EINVAL);
    expect(container.ioctl(0x3b72, le(24, [0, 4, 24], [8, 8, -4096], [16, 8, 0x2000]))).toBe(
      EINVAL,
    );
  });
});
