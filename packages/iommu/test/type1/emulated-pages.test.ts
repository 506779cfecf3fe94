import { describe, expect, test } from 'vitest';
import {
  E2BIG,
  EACCES,
  EBUSY,
  EFAULT,
  EINVAL,
  ENOMEM,
  EOVERFLOW,
  EPERM,
} from '../support/errno.js';
import {
  ARENA,
  HOLE,
  type OpenContainer,
  type StubDevice,
  TestHost,
  unsetContainer,
} from '../support/host.js';

const [READ, WRITE] = [1, 2];

interface Set {
  readonly host: TestHost;
  readonly device: StubDevice;
  readonly container: OpenContainer;
}

/** An emulated device, opened, beside others; 16 pages are mapped. */
function ready(type = 3, ...others: readonly ((host: TestHost) => StubDevice)[]): Set {
  const host = new TestHost();
  const device = host.emulated();
  const container = host.ready(type, device, ...others.map((make) => make(host)));
  container.group(device).getDevice(device.name, host.process);
  container.map(0, ARENA, 0x10000);
  return { host, device, container };
}

const pin = ({ device }: Set, iova: number, count: number, access = READ) => {
  const pages = device.door!.pages!.pinPages(iova, count, access);
  return typeof pages === 'number' ? pages : pages.length;
};

describe('pinning pages', () => {
  test('[iommu:184] goes by 512 at the most', () => {
    const set = ready();
    set.container.map(0x1000000, ARENA, 513 * 0x1000);
    expect([pin(set, 0x1000000, 513), pin(set, 0x1000000, 512)]).toEqual([E2BIG, 512]);
  });

  test('[iommu:185] is not for v1, nor for no pages', () => {
    expect(pin(ready(1), 0, 1)).toBe(EACCES);
    expect(pin(ready(), 0, 0)).toBe(EINVAL);
  });

  test('[iommu:186] wants somebody who hears of unmaps', () => {
    const host = new TestHost();
    const device = host.emulated();
    delete device.dmaUnmap;
    const container = host.ready(3, device);
    container.group(device).getDevice(device.name, host.process);
    container.map(0, ARENA, 0x1000);
    expect(pin({ host, device, container }, 0, 1)).toBe(EINVAL);
  });

  test('[iommu:187] pins all or nothing', () => {
    const set = ready();
    expect(pin(set, 0xe000, 4)).toBe(EINVAL);
    expect(set.host.process.lockedBytes).toBe(0);
    expect(set.container.unmap(0, 0x10000)).toBe(0x10000n);
    expect(set.device.unmaps).toEqual([]);
  });

  test('[iommu:188] goes no further than the mapping’s permission', () => {
    const set = ready();
    set.container.map(0x20000, ARENA, 0x1000, { flags: READ });
    expect([pin(set, 0x20000, 1, WRITE), pin(set, 0x20000, 1, READ)]).toEqual([EPERM, 1]);
  });

  test('[iommu:189] counts how often', () => {
    const set = ready();
    pin(set, 0, 1);
    pin(set, 0, 1);
    set.device.door!.pages!.unpinPages(0, 1);
    expect(set.host.process.lockedBytes).toBe(0x1000);
    set.device.door!.pages!.unpinPages(0, 1);
    expect(set.host.process.lockedBytes).toBe(0);
  });

  test('[iommu:190] counts as locked only where no IOMMU has counted it', () => {
    const without = ready();
    pin(without, 0, 2);
    expect(without.host.process.lockedBytes).toBe(0x2000);
    const beside = ready(3, (host) => host.device());
    pin(beside, 0, 2);
    expect(beside.host.process.lockedBytes).toBe(0x10000);
  });

  test('[iommu:191 iommu:192] is counted once when an IOMMU comes, and alone when it leaves', () => {
    const set = ready();
    pin(set, 0, 2);
    const physical = set.host.device();
    expect(set.container.add(physical)).toBe(0);
    expect(set.host.process.lockedBytes).toBe(0x10000);
    unsetContainer(set.container.group(physical), set.host.process);
    expect(set.host.process.lockedBytes).toBe(0x2000);
    expect(set.container.file.iommu!.snapshot().mappings).toHaveLength(1);
  });

  test('wants memory, and room for it', () => {
    const set = ready();
    set.container.map(0x20000, HOLE, 0x1000);
    set.host.process.memory.map({
      address: HOLE + 0x10000,
      size: 0x1000,
      writable: true,
      deviceMemory: true,
    });
    set.container.map(0x30000, HOLE + 0x10000, 0x1000);
    Object.assign(set.host.process.credentials, { memlock: 0 });
    expect([pin(set, 0x20000, 1), pin(set, 0x30000, 1)]).toEqual([EFAULT, EINVAL]);
    expect(pin(set, 2 ** 64 - 0x1000, 2)).toBe(EOVERFLOW);
    const limited = new TestHost();
    limited.process.credentials.ipcLock = false;
    limited.process.credentials.memlock = 0x1000;
    const device = limited.emulated();
    const container = limited.ready(3, device);
    container.group(device).getDevice(device.name, limited.process);
    container.map(0, ARENA, 0x10000);
    expect(pin({ host: limited, device, container }, 0, 2)).toBe(ENOMEM);
    expect(limited.process.lockedBytes).toBe(0);
  });
});

describe('unmapping what drivers have pinned', () => {
  test('[iommu:167 iommu:168] tells every driver of the whole mapping first', () => {
    const set = ready(3, (host) => host.emulated('mdev1'));
    const other = [...set.container.groupFds.keys()][1] as StubDevice;
    set.container.group(other).getDevice(other.name, set.host.process);
    pin(set, 0x3000, 1);
    expect(set.container.unmap(0, 0x20000)).toBe(0x10000n);
    const whole = [{ iova: 0n, size: 0x10000n }];
    expect([set.device.unmaps, other.unmaps]).toEqual([whole, whole]);
  });

  test('a driver that does not let go is a fatal mistake of its', () => {
    const set = ready();
    set.device.dmaUnmap = () => {};
    pin(set, 0, 1);
    expect(() => set.container.unmap(0, 0x10000)).toThrow('stay pinned');
  });
});

describe('copying without pinning', () => {
  test('[iommu:193] writes only what can be read too', () => {
    const set = ready();
    set.container.map(0x20000, ARENA, 0x1000, { flags: WRITE });
    const pages = set.device.door!.pages!;
    expect(pages.write(0x20000, Uint8Array.of(1))).toBe(EPERM);
    expect(pages.read(0x20000, new Uint8Array(1))).toBe(EPERM);
  });

  test('[iommu:194] crosses neighbours, and stops at a hole with what came before', () => {
    const set = ready();
    set.container.map(0x10000, ARENA + 0x10000, 0x1000);
    const pages = set.device.door!.pages!;
    expect(pages.write(0xffff, Uint8Array.of(1, 2))).toBe(0);
    expect(pages.write(0x10fff, Uint8Array.of(3, 4))).toBe(EINVAL);
    expect([...set.host.arena.subarray(0xffff, 0x10001)]).toEqual([1, 2]);
    expect(set.host.arena[0x10fff]).toBe(3);
    const seen = new Uint8Array(2);
    expect(pages.read(0xffff, seen)).toBe(0);
    expect([...seen]).toEqual([1, 2]);
  });

  test('[iommu:195] waits for virtual addresses, as pinning does', () => {
    const host = new TestHost();
    const physical = host.device();
    const container = host.ready(3, physical);
    physical.dmaUnmap = () => {};
    container.group(physical).getDevice(physical.name, host.process);
    container.map(0, ARENA, 0x1000);
    container.unmap(0, 0x1000, { flags: 4 });
    const pages = physical.door!.pages!;
    expect([pages.pinPages(0, 1, READ), pages.read(0, new Uint8Array(1))]).toEqual([EBUSY, EBUSY]);
  });

  test('ends with the process that has mapped it', () => {
    const set = ready();
    const other = set.host.newProcess();
    set.container.map(0x20000, ARENA, 0x1000, { caller: other });
    const pages = set.device.door!.pages!;
    expect(pages.read(0x20000, new Uint8Array(1))).toBe(0);
    other.exit();
    expect(pages.read(0x20000, new Uint8Array(1))).toBe(EPERM);
  });
});
