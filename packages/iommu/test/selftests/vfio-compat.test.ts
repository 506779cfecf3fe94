// Cases of tools/testing/selftests/iommu/iommufd.c, by their names: VFIO's calls on an iommufd.
import { describe, expect, test } from 'vitest';
import { Compat } from '../support/compat.js';
import { EEXIST, EFAULT, EINVAL, ENODEV, ENOENT, ENOTTY, EOPNOTSUPP } from '../support/errno.js';
import { ARENA, le, TestHost } from '../support/host.js';
import { OpenIommufd } from '../support/iommufd.js';

const PAGE = 4096;
const [GET_API_VERSION, CHECK_EXTENSION, SET_IOMMU] = [0x3b64, 0x3b65, 0x3b66];
const [GET_INFO, MAP_DMA, UNMAP_DMA, DIRTY_PAGES] = [0x3b70, 0x3b71, 0x3b72, 0x3b75];

describe('vfio_compat_mock_domain (without a type)', () => {
  const bare = () => {
    const host = new TestHost();
    const iommufd = new OpenIommufd(host);
    const ioctl = (command: number, argument: number | Uint8Array | undefined) =>
      iommufd.file.ioctl(command, argument, host.process);
    return { host, iommufd, ioctl };
  };

  test('simple_ioctls: versions and extensions are told, and nothing that there is not', () => {
    const { ioctl } = bare();
    expect(ioctl(GET_API_VERSION, 0)).toBe(0);
    expect([1, 3].map((type) => ioctl(CHECK_EXTENSION, type))).toEqual([1, 1]);
    expect(ioctl(CHECK_EXTENSION, 0x7fffffff)).toBe(0);
    expect(ioctl(DIRTY_PAGES, le(8, [0, 4, 8]))).toBe(ENOTTY);
  });

  test('set_iommu_cmd: a type wants an address space, and to be one of type1', () => {
    const { ioctl, iommufd } = bare();
    expect([1, 3, 2].map((type) => ioctl(SET_IOMMU, type))).toEqual([ENODEV, ENODEV, EINVAL]);
    iommufd.vfioIoas(1, iommufd.ioasAlloc());
    expect([1, 3, 3, 2].map((type) => ioctl(SET_IOMMU, type))).toEqual([0, 0, 0, EINVAL]);
  });

  // Each with its size, and flags that it does not have.
  test.each([
    ['map_cmd', MAP_DMA, 32, 0x8],
    ['unmap_cmd', UNMAP_DMA, 24, 0x8],
    ['info_cmd', GET_INFO, 24, undefined],
  ] as const)(
    '%s: too short, unreadable, unknown flags, no address space',
    (_name, command, size, flags) => {
      const { ioctl, iommufd } = bare();
      const least = command === GET_INFO ? 16 : size;
      const call = (argsz: number, flag = 0) =>
        ioctl(command, le(size, [0, 4, argsz], [4, 4, flag], [size - 8, 8, PAGE]));
      expect([call(least - 1), ioctl(command, undefined), ioctl(command, 1)]).toEqual([
        EINVAL,
        EFAULT,
        EFAULT,
      ]);
      expect(call(size)).toBe(ENODEV);
      iommufd.vfioIoas(1, iommufd.ioasAlloc());
      if (flags !== undefined) expect(call(size, flags)).toBe(EINVAL);
    },
  );

  test('vfio_ioas: which address space VFIO’s calls mean', () => {
    const { iommufd } = bare();
    expect([iommufd.vfioIoas(0), iommufd.vfioIoas(1, 77), iommufd.vfioIoas(9)]).toEqual([
      ENODEV,
      ENOENT,
      EOPNOTSUPP,
    ]);
    const [one, other] = [iommufd.ioasAlloc(), iommufd.ioasAlloc()];
    for (const ioas of [one, other]) {
      expect(iommufd.vfioIoas(1, ioas)).toBe(0);
      expect(iommufd.vfioIoas(0)).toBe(ioas);
    }
    expect([iommufd.vfioIoas(2), iommufd.vfioIoas(0)]).toEqual([0, ENODEV]);
  });
});

describe.each([
  ['VFIO_TYPE1v2_IOMMU', 3],
  ['VFIO_TYPE1_IOMMU', 1],
] as const)('vfio_compat_mock_domain (%s)', (_name, type) => {
  test('simple_close: a group and an open device let go of everything', () => {
    const compat = new Compat(type);
    compat.map(0, ARENA, PAGE);
    compat.host.process.exit();
    expect(compat.device.iommuGroup!.ownerClaimed).toBe(false);
    expect(compat.host.process.lockedBytes).toBe(0);
  });

  test('option_huge_pages: v1 has none, because it unmaps page by page', () => {
    const { iommufd } = new Compat(type);
    const ioas = iommufd.vfioIoas(0);
    expect(iommufd.option(1, 'get', ioas)).toBe(type === 1 ? 0n : 1n);
  });

  test('get_info: as many capabilities as there is room for, at every size', () => {
    const compat = new Compat(type);
    const whole = compat.info(512).getUint32(0, true);
    for (let argsz = 24; argsz <= whole + 8; argsz += 4) {
      const info = compat.info(argsz);
      expect(info.getUint32(0, true)).toBe(whole);
      expect(info.getUint32(16, true) !== 0).toBe(argsz >= whole);
    }
    expect(() => compat.info(15)).toThrow('-22');
  });

  test('map: what is mapped is there once, and unmapped as a whole', () => {
    const compat = new Compat(type);
    expect([compat.map(0, ARENA, 16 * PAGE), compat.map(8 * PAGE, ARENA, PAGE)]).toEqual([
      0,
      EEXIST,
    ]);
    expect(compat.unmap(0, 16 * PAGE)).toEqual([0, BigInt(16 * PAGE)]);
    expect(compat.unmap(0, 16 * PAGE)).toEqual([0, 0n]);
    compat.map(0, ARENA, PAGE);
    compat.map(PAGE, ARENA, PAGE);
    expect(compat.unmap(0, 0, 2)).toEqual([0, BigInt(2 * PAGE)]);
  });

  test('huge_map: of 2 MiB in one, v1 takes any page away, v2 nothing but the whole', () => {
    const compat = new Compat(type);
    const size = 2 << 20;
    const { dma } = compat.device.iommuGroup!;
    for (let page = 0; page < size; page += 64 * PAGE) {
      expect(compat.map(0, ARENA, size)).toBe(0);
      const [ret, unmapped] = compat.unmap(page, PAGE);
      expect([ret, unmapped]).toEqual(type === 1 ? [0, BigInt(PAGE)] : [ENOENT, 0n]);
      expect(dma.translate(page, 1) === undefined).toBe(type === 1);
      expect(compat.unmap(0, 0, 2)).toEqual([0, BigInt(type === 1 ? size - PAGE : size)]);
    }
  });
});
