import { describe, expect, it } from 'vitest';
import type { IovaRange } from '../../src/extension.js';
import { DIRTY_LOG } from '../../src/tokens.js';
import { openAdapter } from './fixture.js';

const E2BIG = 7;
const EFAULT = 14;
const EINVAL = 22;
const ENOTTY = 25;
const EOVERFLOW = 75;

const FEATURE = 0x3b75;
const GET = 0x10000;
const SET = 0x20000;
const PROBE = 0x40000;
const LOGGING_START = 6;
const LOGGING_STOP = 7;
const LOGGING_REPORT = 8;

/** A device that logs dirty pages, with user memory at 0x1000 for what calls point to. */
function logging() {
  const started: { ranges: readonly IovaRange[]; pageSize: bigint }[] = [];
  const dirty = new Set<bigint>();
  const adapter = openAdapter({
    driver: {
      name: 'logging-vfio-pci',
      ids: [{ vendor: 0x8086 }],
      probe: (_pdev, container) =>
        container.register(DIRTY_LOG, {
          useValue: {
            start(ranges, pageSize) {
              started.push({ ranges, pageSize });
              return 8192n;
            },
            stop: () => 0,
            readAndClear({ iova, length }, report) {
              for (const page of dirty) if (page >= iova && page < iova + length) report(page);
              return 0;
            },
          },
        }),
    },
  });
  const bytes = new Uint8Array(0x2000);
  adapter.process.memory.map({ address: 0x1000, size: bytes.length, writable: true, bytes });
  const start = (pageSize: number, ranges: readonly (readonly [bigint, bigint])[], at = 0x1000) => {
    const view = new DataView(bytes.buffer);
    for (const [i, [iova, length]] of ranges.slice(0, 256).entries()) {
      view.setBigUint64(16 * i, iova, true);
      view.setBigUint64(16 * i + 8, length, true);
    }
    const set = SET | LOGGING_START;
    return adapter.ioctl(FEATURE, 32, set, pageSize, 0, ranges.length, 0, at, 0);
  };
  const report = (iova: number, length: number, pageSize: number, bitmap = 0x1000) =>
    adapter.ioctl(FEATURE, 40, GET | LOGGING_REPORT, iova, 0, length, 0, pageSize, 0, bitmap, 0)[0];
  return { ...adapter, bytes, dirty, started, start, report };
}

describe('the features of dirty logging', () => {
  it('are there for drivers that can log', () => {
    using adapter = openAdapter();
    for (const feature of [LOGGING_START, LOGGING_STOP, LOGGING_REPORT])
      expect(adapter.ioctl(FEATURE, 8, PROBE | feature)[0]).toBe(-ENOTTY);
  });

  it('hand ranges to the driver, and tell the page size that it chose', () => {
    using device = logging();
    const [result, , , pageSize] = device.start(4096, [
      [0x10000n, 0x4000n],
      [0x20000n, 0x1000n],
    ]);
    expect([result, pageSize]).toEqual([0, 8192]);
    expect(device.started).toEqual([
      {
        pageSize: 4096n,
        ranges: [
          { iova: 0x10000n, length: 0x4000n },
          { iova: 0x20000n, length: 0x1000n },
        ],
      },
    ]);
    expect(device.ioctl(FEATURE, 8, SET | LOGGING_STOP)[0]).toBe(0);
  });

  it('[core:C2.62] take from 1 to 256 ranges', () => {
    using device = logging();
    const ranges = (count: number) =>
      Array.from({ length: count }, (_, i) => [BigInt(i) * 0x10000n, 0x1000n] as const);
    expect(device.start(4096, ranges(0))[0]).toBe(-EINVAL);
    expect(device.start(4096, ranges(257))[0]).toBe(-E2BIG);
    expect(device.start(4096, ranges(256))[0]).toBe(0);
  });

  it('[core:C2.62] take ranges of whole pages that neither overlap nor wrap', () => {
    using device = logging();
    const TOP = 2n ** 64n;
    const start = (...ranges: (readonly [bigint, bigint])[]) => device.start(4096, ranges)[0];
    expect(start([0x10800n, 0x1000n])).toBe(-EINVAL);
    expect(start([0x10000n, 0x800n])).toBe(-EINVAL);
    expect(start([0x10000n, 0x2000n], [0x11000n, 0x1000n])).toBe(-EINVAL);
    expect(start([0x10000n, 0x1000n], [0x10000n, 0x1000n])).toBe(-EINVAL);
    expect(start([TOP - 0x1000n, 0x1000n])).toBe(-EOVERFLOW);
    expect(start([TOP - 0x1000n, 0x2000n])).toBe(-EOVERFLOW);
    expect(start([TOP - 0x2000n, 0x1000n])).toBe(0);
    expect(start([0x10000n, 0x1000n], [0x11000n, 0x1000n])).toBe(0);
    expect(start([0x11000n, 0x1000n], [0x10000n, 0x1000n])).toBe(0);
    expect(device.started).toHaveLength(3);
  });

  it('take nothing but an empty range at 0 in pages of no size', () => {
    using device = logging();
    expect(device.start(0, [[0x10000n, 0x1000n]])[0]).toBe(-EINVAL);
    expect(device.start(0, [[0n, 0n]])[0]).toBe(0);
  });

  it('want the ranges to be in memory', () => {
    using device = logging();
    expect(device.start(4096, [[0n, 0x1000n]], 0x9000)[0]).toBe(-EFAULT);
  });

  it.each([0, 1, 2048, 6144])('[core:C2.63] report no pages of %i bytes', (pageSize) => {
    using device = logging();
    expect(device.report(0x10000, 0x10000, pageSize)).toBe(-EINVAL);
  });

  it('report nothing of a range that ends with the last address, as if it wrapped', () => {
    using device = logging();
    const report = (...iova: readonly [number, number]) =>
      device.ioctl(FEATURE, 40, GET | LOGGING_REPORT, ...iova, 0x1000, 0, 4096, 0, 0x1000, 0)[0];
    expect(report(0xfffff000, 0xffffffff)).toBe(-EOVERFLOW);
    expect(report(0xffffe000, 0xffffffff)).toBe(0);
  });

  it('set the bits of written pages and clear none', () => {
    using device = logging();
    device.bytes.set([0x80, 0x01]);
    device.dirty.add(0x11000n).add(0x18000n).add(0x30000n);
    expect(device.report(0x10000, 0x10000, 4096)).toBe(0);
    expect([...device.bytes.subarray(0, 9)]).toEqual([0x82, 0x01, 0, 0, 0, 0, 0, 0, 0]);
    expect(device.report(0x10000, 0x10000, 4096, 0x9000)).toBe(-EFAULT);
  });
});
