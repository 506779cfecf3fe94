import { describe, expect, test } from 'vitest';
import {
  E2BIG,
  EBUSY,
  EFAULT,
  EINVAL,
  ENOENT,
  ENOMEM,
  ENOTTY,
  EOPNOTSUPP,
  EPERM,
} from '../support/errno.js';
import { ARENA, le } from '../support/host.js';
import { MOCK_START, MockHost } from '../support/iommufd.js';

const PAGE = 4096;

describe('commands of /dev/iommu', () => {
  test('[iommu:246] grow with zeroes only', () => {
    const { iommufd } = new MockHost();
    const alloc = (size: number, bytes: number, tail: number) => {
      const argument = le(bytes, [0, 4, size]);
      if (bytes > 12) argument[bytes - 1] = tail;
      return iommufd.file.ioctl(0x3b81, argument, iommufd.process);
    };
    expect([alloc(4, 12, 0), alloc(20, 20, 0), alloc(20, 20, 1)]).toEqual([EINVAL, 0, E2BIG]);
    expect(iommufd.file.ioctl(0x3b81, undefined, iommufd.process)).toBe(EFAULT);
  });

  test('[iommu:247] know no flags but their own', () => {
    expect(new MockHost().iommufd.ioasAlloc(1)).toBe(EOPNOTSUPP);
  });

  test('[iommu:248] end at 0x94', () => {
    expect(new MockHost().iommufd.call(0x3b95, 8).ret).toBe(ENOTTY);
  });

  test('[iommu:249] destroy what is there and what nobody needs', () => {
    const mock = new MockHost();
    const { ioas, devices } = mock.ioas(1);
    expect([mock.iommufd.destroy(0), mock.iommufd.destroy(99)]).toEqual([ENOENT, ENOENT]);
    expect(mock.iommufd.destroy(ioas)).toBe(EBUSY);
    expect(mock.iommufd.destroy(devices[0]!.id)).toBe(EBUSY);
    devices[0]!.close();
    expect(mock.iommufd.destroy(ioas)).toBe(0);
  });

  test('[iommu:250] number objects from 1', () => {
    expect(new MockHost().iommufd.ioasAlloc()).toBe(1);
  });
});

describe('options', () => {
  test('[iommu:267] of counting are for who may, before there is anything', () => {
    const { iommufd, host } = new MockHost();
    host.process.credentials.sysResource = false;
    expect(iommufd.option(0, 1)).toBe(EPERM);
    host.process.credentials.sysResource = true;
    expect([iommufd.option(0, 2), iommufd.option(0, 1, 1)]).toEqual([EINVAL, EOPNOTSUPP]);
    expect([iommufd.option(0, 1), iommufd.option(0, 'get')]).toEqual([0, 1n]);
    iommufd.ioasAlloc();
    expect(iommufd.option(0, 0)).toBe(EBUSY);
  });

  test('[iommu:268] of large pages are for an IOAS that has not both page tables and areas', () => {
    const mock = new MockHost();
    const { iommufd } = mock;
    expect(iommufd.option(1, 'get', iommufd.ioasAlloc())).toBe(1n);
    const { ioas } = mock.ioas(1);
    expect(iommufd.option(1, 'get', ioas)).toBe(1n);
    iommufd.map(ioas, ARENA, PAGE, { iova: MOCK_START });
    expect([iommufd.option(1, 0, ioas), iommufd.option(1, 2, ioas)]).toEqual([EINVAL, EINVAL]);
    iommufd.unmapAll(ioas);
    expect(iommufd.option(1, 0, ioas)).toBe(0);
    expect(iommufd.iovaRanges(ioas, 1).alignment).toBe(4096n);
    expect(iommufd.option(1, 'get', 99)).toBe(ENOENT);
    expect(iommufd.option(7, 'get')).toBe(EOPNOTSUPP);
  });
});

describe('processes', () => {
  test('[iommu:269] can be changed if all that is mapped is files', () => {
    const mock = new MockHost();
    mock.iommufd.option(0, 1);
    const { ioas } = mock.ioas(1);
    const file = mock.host.fd(mock.memFile(4 * PAGE));
    mock.iommufd.mapFile(ioas, file, 0, 4 * PAGE, MOCK_START);
    mock.iommufd.map(ioas, ARENA, PAGE, { iova: 0x2000000 });
    const heir = mock.host.newProcess();
    Object.assign(heir.credentials, { ipcLock: false, memlock: 3 * PAGE });
    expect(mock.iommufd.changeProcess(heir)).toBe(EINVAL);
    mock.iommufd.unmap(ioas, 0x2000000, PAGE);
    expect(mock.iommufd.changeProcess(heir)).toBe(ENOMEM);
    expect([mock.host.process.lockedBytes, heir.lockedBytes]).toEqual([4 * PAGE, 0]);
    heir.credentials.memlock = 4 * PAGE;
    expect(mock.iommufd.changeProcess(heir)).toBe(0);
    expect([mock.host.process.lockedBytes, heir.lockedBytes]).toEqual([0, 4 * PAGE]);
    expect(mock.iommufd.changeProcess(heir, 1)).toBe(EOPNOTSUPP);
  });
});
