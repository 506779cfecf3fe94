import { constants } from 'node:os';
import { describe, expect, test } from 'vitest';
import { ERRNO, errnoName } from '../src/index.js';

describe('an error number', () => {
  test('is that of Linux', () => {
    const { ENOTSUPP, EPROBE_DEFER, ...user } = ERRNO;
    expect([ENOTSUPP, EPROBE_DEFER]).toEqual([524, 517]);
    const expected: Readonly<Record<string, number>> = {
      EPERM: 1,
      ENOENT: 2,
      EIO: 5,
      ENXIO: 6,
      E2BIG: 7,
      EBADF: 9,
      EAGAIN: 11,
      ENOMEM: 12,
      EACCES: 13,
      EFAULT: 14,
      EBUSY: 16,
      EEXIST: 17,
      ENODEV: 19,
      EINVAL: 22,
      ENOTTY: 25,
      ENOSPC: 28,
      ESPIPE: 29,
      ERANGE: 34,
      ENOMSG: 42,
      EOVERFLOW: 75,
      EBADFD: 77,
      EMSGSIZE: 90,
      EOPNOTSUPP: 95,
      EADDRINUSE: 98,
      ETIMEDOUT: 110,
    };
    expect(user).toMatchObject(expected);
  });

  test.runIf(process.platform === 'linux')('is what this Linux says', () => {
    const host: Readonly<Record<string, number>> = constants.errno;
    for (const [name, number] of Object.entries(ERRNO))
      if (name in host) expect([name, number]).toEqual([name, host[name]]);
  });

  test('has its name whether negated or not', () => {
    expect([errnoName(22), errnoName(-22)]).toEqual(['EINVAL', 'EINVAL']);
    expect(errnoName(-4000)).toBe('errno 4000');
  });

  test('belongs to one name only', () => {
    expect(new Set(Object.values(ERRNO)).size).toBe(Object.keys(ERRNO).length);
  });
});
