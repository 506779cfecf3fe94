// Cases of tools/testing/selftests/iommu/iommufd.c, by their names: what each asserts, in our own words and calls.
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
} from '../support/errno.js';
import { ARENA, le } from '../support/host.js';
import { MOCK_START, MockHost } from '../support/iommufd.js';

const PAGE = 4096;

describe('iommufd (the file itself)', () => {
  test('simple_close: everything goes with the file', () => {
    const mock = new MockHost();
    const { ioas, devices } = mock.ioas(1);
    mock.iommufd.option(0, 'get');
    mock.iommufd.map(ioas, ARENA, PAGE, { iova: MOCK_START });
    mock.host.process.fds.close(mock.iommufd.fd);
    devices[0]!.close();
    expect(devices[0]!.device.iommuGroup!.ownerClaimed).toBe(false);
  });

  test('cmd_fail: unknown commands, objects and pointers', () => {
    const { iommufd } = new MockHost();
    expect(iommufd.call(0x3bff, 8).ret).toBe(ENOTTY);
    expect(iommufd.destroy(1)).toBe(ENOENT);
    expect(iommufd.unmapAll(1)).toBe(ENOENT);
    expect(iommufd.file.ioctl(0x3b80, undefined, iommufd.process)).toBe(EFAULT);
  });

  // Every command with the number of bytes of its structure, and the fewest that it takes.
  test.each([
    [0x3b80, 8, 8],
    [0x3b81, 12, 12],
    [0x3b82, 24, 24],
    [0x3b83, 40, 40],
    [0x3b84, 32, 32],
    [0x3b85, 40, 40],
    [0x3b86, 24, 24],
    [0x3b87, 24, 24],
    [0x3b88, 12, 12],
    [0x3b89, 48, 24],
    [0x3b8a, 40, 32],
    [0x3b8b, 16, 16],
    [0x3b8c, 48, 48],
    [0x3b8d, 32, 32],
    [0x3b8e, 16, 16],
    [0x3b8f, 40, 40],
    [0x3b90, 40, 24],
    [0x3b91, 24, 24],
    [0x3b92, 8, 8],
    [0x3b93, 32, 28],
    [0x3b94, 40, 40],
  ])('cmd_length: command %# is %i bytes at the most and %i at least', (command, size, least) => {
    const { iommufd } = new MockHost();
    const call = (claimed: number, tail = 0) => {
      const argument = le(64, [0, 4, claimed]);
      argument[63] = tail;
      return iommufd.file.ioctl(command, argument, iommufd.process);
    };
    expect(call(least - 1)).toBe(EINVAL);
    expect(call(64, 1)).toBe(E2BIG);
    expect(call(64)).toBe(call(size));
  });

  test('cmd_ex_fail: reserved members and flags are told apart from bad values', () => {
    const { iommufd } = new MockHost();
    const ioas = iommufd.ioasAlloc();
    expect(iommufd.ioasAlloc(0x80000000)).toBe(EOPNOTSUPP);
    expect(iommufd.iovaRanges(ioas, 1, 1).ret).toBe(EOPNOTSUPP);
    expect(iommufd.map(ioas, ARENA, PAGE, { flags: 0x80000000 })).toBe(EOPNOTSUPP);
    expect(iommufd.call(0x3b82, 24, [4, 4, ioas], [12, 4, 1]).ret).toBe(EOPNOTSUPP);
    expect(iommufd.call(0x3b8e, 16, [4, 4, 1]).ret).toBe(EOPNOTSUPP);
    expect(iommufd.call(0x3b87, 24, [8, 4, 2]).ret).toBe(EOPNOTSUPP);
    expect(iommufd.call(0x3b87, 24, [8, 4, 1 << 16]).ret).toBe(EOPNOTSUPP);
    expect(iommufd.call(0x3b8b, 16, [4, 4, 2]).ret).toBe(EOPNOTSUPP);
    expect(iommufd.call(0x3b8c, 48, [8, 4, 2]).ret).toBe(EOPNOTSUPP);
    expect(iommufd.call(0x3b8d, 32, [28, 4, 1]).ret).toBe(EOPNOTSUPP);
  });

  test('global_options: counting by process is for an empty iommufd', () => {
    const { iommufd } = new MockHost();
    expect([iommufd.option(0, 'get'), iommufd.option(0, 1), iommufd.option(0, 'get')]).toEqual([
      0n,
      0,
      1n,
    ]);
    expect([iommufd.option(0, 2), iommufd.option(0, 0, 1)]).toEqual([EINVAL, EOPNOTSUPP]);
    iommufd.ioasAlloc();
    expect(iommufd.option(0, 0)).toBe(EBUSY);
  });
});

describe.each([
  ['none', true, 0],
  ['user', false, 0],
  ['mm', false, 1],
] as const)('change_process (%s accounting)', (_name, ipcLock, mode) => {
  test('basic: files move to another process, its limit permitting', () => {
    const mock = new MockHost();
    mock.iommufd.option(0, mode);
    mock.host.process.credentials.ipcLock = ipcLock;
    const { ioas } = mock.ioas(1);
    mock.iommufd.map(ioas, ARENA, PAGE, { iova: MOCK_START });
    expect(mock.iommufd.changeProcess()).toBe(EINVAL);
    mock.iommufd.unmapAll(ioas);
    mock.iommufd.mapFile(ioas, mock.host.fd(mock.memFile(2 * PAGE)), 0, 2 * PAGE, MOCK_START);
    const heir = mock.host.newProcess();
    Object.assign(heir.credentials, { ipcLock, memlock: 0 });
    expect(mock.iommufd.changeProcess(heir)).toBe(ipcLock ? 0 : ENOMEM);
    heir.credentials.memlock = 4 * PAGE;
    expect(mock.iommufd.changeProcess(heir)).toBe(0);
    const charged = [mock.host.process.lockedBytes, heir.lockedBytes];
    expect(charged).toEqual(mode === 1 ? [0, 2 * PAGE] : [0, 0]);
    mock.iommufd.unmapAll(ioas);
    expect(heir.lockedBytes).toBe(0);
  });
});
