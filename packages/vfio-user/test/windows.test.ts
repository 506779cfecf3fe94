import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bench, bytes, cut, u32, u64 } from './peer.js';

const EINVAL = 22;
const ENOENT = 2;
const EEXIST = 17;
const EFAULT = 14;
const EPERM = 1;

describe('mapping', () => {
  test('[vfio-user:106] a window with a file is the file, without messages', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const file = Uint8Array.from({ length: 0x3000 }, (_, i) => i >> 8);
    expect(peer.map(0x10000, 0x2000, { offset: 0x1000, fds: [peer.file(file)] })).toBe(0);
    const got = new Uint8Array(4);
    expect(stage.memory.read(0x10100, got)).toBe(0);
    expect([...got]).toEqual([0x11, 0x11, 0x11, 0x11]);
    expect(stage.memory.write(0x10100, Uint8Array.of(1, 2))).toBe(0);
    expect([...file.slice(0x1100, 0x1103)]).toEqual([1, 2, 0x11]);
    expect(stage.memory.view(0x10000, 0x2000, 'write')?.byteLength).toBe(0x2000);
    expect(cut(peer.client)).toEqual([]);
  });

  test.each([
    [0x1000, 0x1000],
    [0x0800, 0x1000],
    [0x1800, 0x1000],
    [0x1400, 0x0100],
    [0x0000, 0x8000],
  ])('[vfio-user:107 vfio-user:108] a window at %i of %i bytes would overlap', async (at, size) => {
    using stage = await bench();
    const peer = stage.hello();
    const file = new Uint8Array(0x8000).fill(7);
    peer.map(0x1000, 0x1000, { fds: [peer.file(file)] });
    const before = stage.descriptors;
    const other = [peer.file(new Uint8Array(0x8000))];
    expect(peer.map(at, size, { offset: 0, fds: other })).toBe(EEXIST);
    expect(stage.descriptors).toBe(before);
    const byte = new Uint8Array(1);
    expect(stage.memory.read(0x1000, byte)).toBe(0);
    expect(byte[0]).toBe(7);
  });

  test('[vfio-user:107] touching windows are fine', async () => {
    using stage = await bench();
    const peer = stage.hello();
    for (const at of [0x1000, 0, 0x2000]) expect(peer.map(at, 0x1000)).toBe(0);
  });

  test('[vfio-user:109] flags that promise a file need one', async () => {
    using stage = await bench();
    const peer = stage.hello();
    for (const flags of [7, 11, 19]) expect(peer.map(0, 0x1000, { flags })).toBe(EINVAL);
    expect(peer.map(0, 0x1000, { flags: 11, fds: [peer.file(new Uint8Array(0x1000))] })).toBe(0);
  });

  test('[vfio-user:110] windows lie within 64 bits', async () => {
    using stage = await bench();
    const peer = stage.hello();
    expect(peer.map(0, 0)).toBe(EINVAL);
    expect(peer.map(2n ** 64n - 0x1000n, 0x2000)).toBe(EINVAL);
    expect(peer.map(2n ** 64n - 0x1000n, 0x1000)).toBe(0);
    expect(peer.map(2n ** 62n, 2n ** 43n + 4096n)).toBe(28);
  });

  test('[vfio-user:111] nothing needs alignment', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const file = Uint8Array.from({ length: 300 }, (_, i) => i);
    expect(peer.map(0x1003, 77, { offset: 13, fds: [peer.file(file)] })).toBe(0);
    const got = new Uint8Array(77);
    expect(stage.memory.read(0x1003, got)).toBe(0);
    expect(got).toEqual(file.slice(13, 90));
    expect(stage.memory.read(0x1003, new Uint8Array(78))).toBe(-EFAULT);
  });

  test('[vfio-user:112 vfio-user:113] permissions hold, and no message is sent against them', async () => {
    using stage = await bench();
    const peer = stage.hello();
    peer.map(0x1000, 0x1000, { flags: 1 });
    peer.map(0x2000, 0x1000, { flags: 2, fds: [peer.file(new Uint8Array(0x1000))] });
    const results: number[] = [];
    stage.memory.writeLater(0x1000, new Uint8Array(4), (result) => results.push(result));
    stage.memory.readLater(0x2000, new Uint8Array(4), (result) => results.push(result));
    expect(results).toEqual([-EPERM, -EPERM]);
    expect(stage.memory.read(0x2000, new Uint8Array(4))).toBe(-EPERM);
    expect(cut(peer.client)).toEqual([]);
  });

  test('[vfio-user:114] an eventfd is no memory', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const before = stage.descriptors;
    expect(peer.map(0, 0x1000, { fds: peer.eventfds(1).fds })).toBe(19);
    expect(stage.descriptors).toBe(before);
  });

  test('[vfio-user:115] a short request is refused', async () => {
    using stage = await bench();
    const peer = stage.hello();
    expect(peer.errno(2, bytes(u32(31, 3), u64(0, 0, 0x1000)))).toBe(EINVAL);
    expect(peer.errno(2, bytes(u32(32, 3), u64(0, 0)))).toBe(EINVAL);
  });

  test('[vfio-user:116] there are no more windows than agreed', async () => {
    using stage = await bench();
    const peer = stage.hello();
    for (let i = 0; i < 16; i += 1) expect(peer.map(0x1000 * i, 0x1000)).toBe(0);
    expect(peer.map(0x100000, 0x1000)).toBe(EINVAL);
    peer.unmap(0, 0x1000);
    expect(peer.map(0x100000, 0x1000)).toBe(0);
  });

  test('[vfio-user:117] 60,000 windows are found as ten are', async () => {
    using stage = await bench({ maxDmaMaps: 65535 });
    const peer = stage.hello();
    const file = Uint8Array.from({ length: 256 }, (_, i) => i);
    for (let i = 0; i < 60_000; i += 1) {
      const at = ((i * 7919) % 60_000) * 0x2000;
      const fds = i % 1000 === 0 ? [peer.file(file)] : [];
      expect(peer.map(at, 0x1000, { offset: i % 200, fds })).toBe(0);
    }
    for (let i = 0; i < 60_000; i += 1000) {
      const byte = new Uint8Array(1);
      expect(stage.memory.read(((i * 7919) % 60_000) * 0x2000 + 5, byte)).toBe(0);
      expect(byte[0]).toBe((i % 200) + 5);
    }
    expect(stage.memory.read(0x1000, new Uint8Array(1))).toBe(-EFAULT);
    expect(peer.unmap(0, 2n ** 63n)).toBe(0);
    expect(stage.memory.windows.size).toBe(0);
  });
});

describe('unmapping', () => {
  test('[vfio-user:118 vfio-user:119] an exact range goes, and is echoed; again it is no mistake', async () => {
    using stage = await bench();
    const peer = stage.hello();
    peer.map(0x1000, 0x1000, { fds: [peer.file(new Uint8Array(0x1000))] });
    const request = bytes(u32(24, 0), u64(0x1000, 0x1000));
    expect(peer.ask(3, request).payload).toEqual(request);
    expect(stage.memory.read(0x1000, new Uint8Array(1))).toBe(-EFAULT);
    expect(peer.errno(3, request)).toBe(0);
  });

  test('[vfio-user:119 vfio-user:120 vfio-user:121] exact mode knows only exact ranges', async () => {
    using stage = await bench({ unmap: 'exact' });
    const peer = stage.hello();
    peer.map(0x1000, 0x1000);
    peer.map(0x2000, 0x1000);
    expect(peer.unmap(0x1000, 0x2000)).toBe(ENOENT);
    expect(peer.unmap(0x1800, 0x1000)).toBe(ENOENT);
    expect(peer.unmap(0x1000, 0x1000)).toBe(0);
    expect(peer.unmap(0x1000, 0x1000)).toBe(ENOENT);
    expect(stage.memory.windows.size).toBe(1);
  });

  test('[vfio-user:120 vfio-user:122] a range takes every window in it', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const fill = () => {
      for (const at of [0x1000, 0x2000, 2 ** 40]) peer.map(at, 0x1000);
    };
    fill();
    expect(peer.unmap(0x1000, 0x2000)).toBe(0);
    expect(stage.memory.windows.size).toBe(1);
    peer.unmap(2 ** 40, 0x1000);
    fill();
    expect(peer.unmap(0, 2n ** 63n)).toBe(0);
    expect(stage.memory.windows.size).toBe(0);
  });

  test('[vfio-user:121] a range that cuts a window takes nothing', async () => {
    using stage = await bench();
    const peer = stage.hello();
    peer.map(0x1000, 0x1000);
    peer.map(0x2000, 0x2000);
    for (const [at, size] of [
      [0x1000, 0x2000],
      [0x1800, 0x800],
      [0x2800, 0x100],
    ] as const)
      expect(peer.unmap(at, size)).toBe(EINVAL);
    expect(stage.memory.windows.size).toBe(2);
  });

  test('[vfio-user:123] all goes with all, which has no address', async () => {
    using stage = await bench();
    const peer = stage.hello();
    peer.map(0x1000, 0x1000);
    expect(peer.unmap(0x1000, 0x1000, 4)).toBe(EINVAL);
    expect(peer.unmap(0x1000, 0x1000, 3)).toBe(EINVAL);
    expect(peer.unmap(0x1000, 0x1000, 2)).toBe(EINVAL);
    expect(peer.unmap(2n ** 53n + 1n, 1, 2)).toBe(EINVAL);
    expect(stage.memory.windows.size).toBe(1);
    expect(peer.unmap(0, 0, 2)).toBe(0);
    expect(peer.unmap(0, 0, 2)).toBe(0);
    expect(stage.memory.windows.size).toBe(0);
  });

  test('[vfio-user:124 vfio-user:125] argsz and the bitmap are checked', async () => {
    using stage = await bench();
    const peer = stage.hello();
    peer.map(0x1000, 0x1000);
    for (const argsz of [23, 1048577])
      expect(peer.errno(3, bytes(u32(argsz, 0), u64(0x1000, 0x1000)))).toBe(EINVAL);
    const bitmap = bytes(u32(48, 1), u64(0x1000, 0x1000), u64(4096, 8), u64(0));
    expect(peer.errno(3, bitmap)).toBe(EINVAL);
    expect(stage.memory.windows.size).toBe(1);
  });

  test('windows come and go as a plain list says', async () => {
    using stage = await bench({ maxDmaMaps: 8 });
    const peer = stage.hello();
    let model: { at: number; size: number }[] = [];
    const range = fc.record({
      at: fc.integer({ min: 0, max: 20 }),
      size: fc.integer({ min: 1, max: 8 }),
    });
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), range)), (steps) => {
        for (const [map, { at, size }] of steps) {
          const meets = model.filter((w) => w.at < at + size && at < w.at + w.size);
          if (map) {
            const expected = meets.length > 0 ? EEXIST : model.length >= 8 ? EINVAL : 0;
            expect(peer.map(at, size)).toBe(expected);
            if (expected === 0) model.push({ at, size });
          } else {
            const cuts = meets.some((w) => w.at < at || w.at + w.size > at + size);
            expect(peer.unmap(at, size)).toBe(cuts ? EINVAL : 0);
            if (!cuts) model = model.filter((w) => !meets.includes(w));
          }
          expect(stage.memory.windows.size).toBe(model.length);
        }
      }),
      { numRuns: 100 },
    );
  });
});
