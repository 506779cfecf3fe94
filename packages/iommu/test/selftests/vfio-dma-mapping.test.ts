// Cases of tools/testing/selftests/vfio, by their names: DMA mapping in each of its five modes, and setting iommufd up.
import { describe, expect, test } from 'vitest';
import { EINVAL, ENOENT, EOVERFLOW } from '../support/errno.js';
import {
  ARENA,
  getDeviceFd,
  HOLE,
  le,
  OtherFile,
  type StubDevice,
  setContainer,
  TestHost,
} from '../support/host.js';
import { OpenIommufd } from '../support/iommufd.js';

const BAR = 0x600_0000_0000;
const APERTURE_END = 2 ** 48;

/** A way to map: what UNMAP says was unmapped, or a negated errno. */
interface Mode {
  map(iova: number | bigint, vaddr: number, size: number): number;
  unmap(iova: number | bigint, size: number): bigint | number;
  unmapAll(): bigint | number;
}

interface Set {
  readonly host: TestHost;
  readonly device: StubDevice;
  readonly mode: Mode;
}

function prepared(): { host: TestHost; device: StubDevice } {
  const host = new TestHost();
  host.process.memory.map({ address: HOLE, size: 2 ** 30, writable: true });
  host.process.memory.map({ address: BAR, size: 0x100000, writable: true, deviceMemory: true });
  return { host, device: host.device({ caps: { aperture: { start: 0, end: APERTURE_END } } }) };
}

function container(type: number): Set {
  const { host, device } = prepared();
  const open = host.ready(type, device);
  return {
    host,
    device,
    mode: {
      map: (iova, vaddr, size) => open.map(iova, vaddr, size),
      unmap: (iova, size) => open.unmap(iova, size),
      unmapAll: () => open.unmap(0, 0, { flags: 2 }),
    },
  };
}

function compat(type: number): Set {
  const { host, device } = prepared();
  const iommufd = new OpenIommufd(host);
  const file = host.openGroup(device);
  setContainer(file, iommufd.fd, host.process);
  iommufd.file.ioctl(0x3b66, type, host.process);
  getDeviceFd(file, device.name, host.process);
  const unmap = (iova: number | bigint, size: number, flags = 0) => {
    const argument = le(24, [0, 4, 24], [4, 4, flags], [8, 8, iova], [16, 8, size]);
    const ret = iommufd.file.ioctl(0x3b72, argument, host.process);
    return ret === 0 ? new DataView(argument.buffer).getBigUint64(16, true) : ret;
  };
  return {
    host,
    device,
    mode: {
      map: (iova, vaddr, size) =>
        iommufd.file.ioctl(
          0x3b71,
          le(32, [0, 4, 32], [4, 4, 3], [8, 8, vaddr], [16, 8, iova], [24, 8, size]),
          host.process,
        ),
      unmap,
      unmapAll: () => unmap(0, 0, 2),
    },
  };
}

function native(): Set {
  const { host, device } = prepared();
  const iommufd = new OpenIommufd(host);
  const ioas = iommufd.ioasAlloc();
  iommufd.bind(device).attach(ioas);
  return {
    host,
    device,
    mode: {
      map: (iova, vaddr, size) => {
        const at = iommufd.map(ioas, vaddr, size, { iova });
        return typeof at === 'bigint' ? 0 : at;
      },
      unmap: (iova, size) => iommufd.unmap(ioas, iova, size),
      unmapAll: () => iommufd.unmapAll(ioas),
    },
  };
}

const MODES = [
  ['vfio_type1_iommu', () => container(1), true],
  ['vfio_type1v2_iommu', () => container(3), true],
  ['iommufd_compat_type1', () => compat(1), false],
  ['iommufd_compat_type1v2', () => compat(3), false],
  ['iommufd', native, false],
] as const;

describe.each(MODES)('vfio_dma_mapping_test (%s)', (_name, make, mapsBars) => {
  test.each([
    ['a page', 4096],
    ['a page of 2 MiB', 2 << 20],
    ['a page of 1 GiB', 2 ** 30],
  ])('dma_map_unmap: %s', (_title, size) => {
    const { device, mode } = make();
    const { dma } = device.iommuGroup!;
    expect(mode.map(size, HOLE, size)).toBe(0);
    for (const at of [0, size / 2, size - 1]) expect(dma.translate(size + at, 1)!.offset).toBe(at);
    expect(mode.unmap(size, size)).toBe(BigInt(size));
    expect(dma.translate(size, 1)).toBeUndefined();
  });

  const last = APERTURE_END - 4096;

  test('unmap_range: the last page there is', () => {
    const { mode } = make();
    expect(mode.map(last, HOLE, 4096)).toBe(0);
    expect(mode.unmap(last, 4096)).toBe(4096n);
  });

  test('unmap_all: the last page there is', () => {
    const { mode } = make();
    expect(mode.map(last, HOLE, 4096)).toBe(0);
    expect(mode.unmapAll()).toBe(4096n);
  });

  test('overflow: nothing wraps at the end of the space', () => {
    const { mode } = make();
    const top = 0xffff_ffff_ffff_f000n;
    expect([mode.map(top, HOLE, 8192), mode.unmap(top, 8192)]).toEqual([EOVERFLOW, EOVERFLOW]);
  });

  test('map_full_bar, map_partial_bar, map_bar_misaligned: a device’s memory', () => {
    const { host, device, mode } = make();
    const mapped = [mode.map(0, BAR, 0x100000), mode.map(0x200000, BAR + 0x4000, 0x8000)];
    expect(mapped.map((result) => result === 0)).toEqual([mapsBars, mapsBars]);
    expect(mode.map(0x400000, BAR + 0x800, 0x1000) < 0).toBe(true);
    expect(host.process.lockedBytes).toBe(0);
    expect(device.iommuGroup!.dma.translate(0x200000, 1)?.offset).toBe(
      mapsBars ? 0x4000 : undefined,
    );
  });

  test('memcpy_from_unmapped_iova, memcpy_to_unmapped_iova: fault, and change nothing', () => {
    const { host, device, mode } = make();
    const { dma } = device.iommuGroup!;
    mode.map(0, ARENA, 4096);
    host.arena.fill(7, 0, 8192);
    expect(dma.write(4096, new Uint8Array(64))).toBe(-14);
    expect(dma.write(4090, new Uint8Array(64))).toBe(6);
    expect([host.arena[4089], host.arena[4090], host.arena[4096]]).toEqual([7, 0, 7]);
    expect(dma.read(8192, new Uint8Array(64))).toBe(-14);
    expect(dma.read(0, new Uint8Array(64))).toBe(64);
  });
});

describe('vfio_iommufd_setup_test', () => {
  const setUp = () => {
    const { host, device } = prepared();
    return { host, device, iommufd: new OpenIommufd(host) };
  };

  test('bind, repeated_bind_fails', () => {
    const { iommufd, device } = setUp();
    const bound = iommufd.bind(device);
    expect([bound.ret, bound.id > 0]).toEqual([0, true]);
    expect(bound.ioctl(0x3b76, le(24, [0, 4, 24], [8, 4, iommufd.fd]))).toBe(EINVAL);
  });

  test('get_info_without_bind_fails', () => {
    const { host } = setUp();
    expect(
      host.groups
        .deviceNode(0)
        .open()
        .ioctl(0x3b6b, le(24, [0, 4, 24]), host.process),
    ).toBe(EINVAL);
  });

  test('bind_bad_iommufd_fails', () => {
    const { host } = setUp();
    const file = host.groups.deviceNode(0).open();
    const bind = (fd: number) =>
      file.ioctl(0x3b76, le(24, [0, 4, 24], [8, 4, fd >>> 0]), host.process);
    expect([bind(-2), bind(host.fd(new OtherFile()))]).toEqual([EINVAL, -77]);
  });

  test('attach_detach_pt, attach_invalid_pt_fails', () => {
    const { iommufd, device } = setUp();
    const bound = iommufd.bind(device);
    expect([bound.attach(iommufd.ioasAlloc()) > 0, bound.detach()]).toEqual([true, 0]);
    expect(bound.attach(0xffffffff)).toBe(ENOENT);
  });
});

describe('vfio_pci_device_init_perf_test', () => {
  test('init: many devices are set up alike', () => {
    const host = new TestHost();
    const iommufd = new OpenIommufd(host);
    const ioas = iommufd.ioasAlloc();
    const bound = Array.from({ length: 64 }, () => iommufd.bind(host.device()));
    expect(new Set(bound.map((device) => device.attach(ioas))).size).toBe(1);
    expect(new Set(bound.map(({ id }) => id)).size).toBe(64);
  });
});
