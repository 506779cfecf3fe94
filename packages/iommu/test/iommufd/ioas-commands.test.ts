import { describe, expect, test } from 'vitest';
import { EINVAL, ENOMEM } from '../support/errno.js';
import { ARENA } from '../support/host.js';
import { MOCK_PAGE, MOCK_START, MockHost } from '../support/iommufd.js';

const PAGE = 4096;

describe('IOMMU_IOAS_COPY', () => {
  test('of several areas leaves nothing behind if one of them cannot be pinned', () => {
    const mock = new MockHost();
    const { iommufd, host } = mock;
    const source = iommufd.ioasAlloc();
    const { ioas: target } = mock.ioas(1);
    iommufd.map(source, ARENA, PAGE, { iova: MOCK_START });
    iommufd.map(source, ARENA + 0x10000, PAGE, { iova: MOCK_START + PAGE });
    host.process.credentials.memlock = PAGE;
    const copy = () => iommufd.copy([source, MOCK_START], [target, MOCK_START], 2 * PAGE);
    expect(copy()).toBe(ENOMEM);
    host.process.credentials.memlock = 2 * PAGE;
    expect(copy()).toBe(BigInt(MOCK_START));
  });
});

describe('IOMMU_IOAS_ALLOW_IOVAS', () => {
  test('takes ranges that touch, in any order, and none that overlap', () => {
    const { iommufd } = new MockHost();
    const ioas = iommufd.ioasAlloc();
    const [low, high] = [[0x1000, 0x1fff] as const, [0x2000, 0x2fff] as const];
    expect([iommufd.allowIovas(ioas, [low, high]), iommufd.allowIovas(ioas, [high, low])]).toEqual([
      0, 0,
    ]);
    expect(iommufd.allowIovas(ioas, [high, [0x1000, 0x2000]])).toBe(EINVAL);
  });
});

describe('IOMMU_IOAS_CHANGE_PROCESS', () => {
  test('charges everything to the newcomer, or nothing', () => {
    const mock = new MockHost();
    const { iommufd, host } = mock;
    iommufd.option(0, 1);
    const { ioas } = mock.ioas(1);
    for (const at of [0, 1]) {
      const fd = host.process.fds.install(mock.memFile(PAGE));
      expect(iommufd.mapFile(ioas, fd, 0, PAGE, MOCK_START + at * PAGE)).toBeTypeOf('bigint');
    }
    const heir = host.newProcess();
    Object.assign(heir.credentials, { ipcLock: false, memlock: PAGE });
    expect(iommufd.changeProcess(heir)).toBe(ENOMEM);
    expect([host.process.lockedBytes, heir.lockedBytes]).toEqual([2 * PAGE, 0]);
    heir.credentials.memlock = 2 * PAGE;
    expect(iommufd.changeProcess(heir)).toBe(0);
    expect([host.process.lockedBytes, heir.lockedBytes]).toEqual([0, 2 * PAGE]);
  });
});

describe('a page table', () => {
  test('with pages that are all larger than the CPU’s shows no user memory', () => {
    const mock = new MockHost();
    const device = mock.bound({ pageSizes: 0x10000n });
    expect(device.attach(mock.iommufd.ioasAlloc())).toBe(EINVAL);
  });
});

describe('the VFIO calls of v1', () => {
  test('cut areas where the alignment allows it, and nowhere else', () => {
    const mock = new MockHost();
    const { iommufd, host } = mock;
    const device = mock.device();
    const group = host.openGroup(device);
    group.group.setContainer(iommufd.file, host.process);
    group.getDevice(device.name, host.process);
    const ioas = iommufd.vfioIoas(0);
    expect(iommufd.option(1, 0, ioas)).toBe(0);
    iommufd.map(ioas, ARENA, 4 * PAGE, { iova: MOCK_START });
    const unmap = (iova: number, size: number) => {
      const argument = new Uint8Array(24);
      const view = new DataView(argument.buffer);
      view.setUint32(0, 24, true);
      view.setBigUint64(8, BigInt(iova), true);
      view.setBigUint64(16, BigInt(size), true);
      return iommufd.file.ioctl(0x3b72, argument, host.process);
    };
    expect(unmap(MOCK_START, MOCK_PAGE)).toBe(EINVAL);
    expect(unmap(MOCK_START, PAGE)).toBe(0);
    expect(iommufd.unmapAll(ioas)).toBe(BigInt(3 * PAGE));
  });
});
