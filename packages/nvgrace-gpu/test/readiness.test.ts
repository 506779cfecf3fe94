import { StoredConfig } from '@vfiokit/testing';
import { describe, expect, it } from 'vitest';
import { type NvgracePlatform, readiness } from '../src/index.js';
import { cxlDevice } from './grace.js';

const EINTR = 4;
const EAGAIN = 11;
const ENODEV = 19;
const ETIME = 62;

/** Time that goes by while somebody waits; something may happen at a moment. */
function clock(killedAt = Infinity) {
  const platform = { time: 0 } as { time: number };
  return Object.assign(platform, {
    now: () => platform.time,
    sleep: (ms: number) => {
      platform.time += ms;
      return platform.time < killedAt;
    },
  }) as unknown as NvgracePlatform & { time: number };
}

/** A CXL device whose status register changes with time: [from which millisecond, value]. */
function cxl(platform: { time: number }, course: readonly (readonly [number, number])[]) {
  const config = new StoredConfig(4096);
  const { id, body } = cxlDevice(0);
  config.set(0x100, 4, id + 0x10000);
  config.bytes.set(body, 0x104);
  const at = 0x100 + 0x1c;
  const read = config.read.bind(config);
  return Object.assign(config, {
    read: (offset: number, size: number) =>
      offset === at
        ? course.filter(([from]) => from <= platform.time).at(-1)![1]
        : read(offset, size),
  });
}

describe('a GPU with status registers', () => {
  const registers =
    (platform: { time: number }, link: number, memory: number) => (offset: number) => {
      if (offset === 0x1498) return platform.time >= link ? 0xff : 0x1ff;
      return offset === 0x200bc && platform.time >= memory ? 0xff : 0;
    };
  const plain = new StoredConfig(4096);

  it('is ready once both are exactly 0xff', () => {
    const platform = clock();
    expect(readiness(plain, registers(platform, 2000, 5000), platform).wait()).toBe(0);
    expect(platform.time).toBe(5000);
  });

  it('[derived:159] is -ETIME after 30 seconds, after a reset too', () => {
    const platform = clock();
    const gpu = readiness(plain, registers(platform, 0, Infinity), platform);
    expect(gpu.wait()).toBe(-ETIME);
    expect(platform.time).toBe(31_000);
    expect(gpu.afterReset()).toBe(-ETIME);
  });

  it('is -EINTR for a waiter that is killed', () => {
    const platform = clock(3000);
    expect(readiness(plain, registers(platform, Infinity, 0), platform).wait()).toBe(-EINTR);
    expect(platform.time).toBe(3000);
  });
});

describe('a GPU that is a CXL device', () => {
  const wait = (course: readonly (readonly [number, number])[]) => {
    const platform = clock();
    const result = readiness(cxl(platform, course), () => 0, platform).wait();
    return [result, platform.time];
  };

  it('is ready when its memory is active', () => {
    expect(
      wait([
        [0, 0],
        [1000, 0x1],
        [3000, 0x3],
      ]),
    ).toEqual([-ETIME, 2000]);
    expect(
      wait([
        [0, 0x2001],
        [3000, 0x2003],
      ]),
    ).toEqual([0, 3000]);
  });

  it('has a second for the information to become valid', () => {
    expect(wait([[0, 0]])).toEqual([-ETIME, 1000]);
  });

  it.each([
    [0, 1],
    [1, 4],
    [2, 16],
    [3, 64],
    [4, 256],
    [7, 256],
  ])('has 4^n seconds for its memory: n = %i', (n, seconds) => {
    expect(wait([[0, (n << 13) | 1]])).toEqual([-ETIME, seconds * 1000]);
  });

  it('is -ENODEV if it does not answer, and -EAGAIN instead of waiting after a reset', () => {
    expect(wait([[0, 0xffffffff]])).toEqual([-ENODEV, 0]);
    const platform = clock();
    const after = (status: number) =>
      readiness(cxl(platform, [[0, status]]), () => 0, platform).afterReset();
    expect([after(0x1), after(0x3), after(0xffffffff)]).toEqual([-EAGAIN, 0, -ENODEV]);
    expect(platform.time).toBe(0);
  });
});
