import { describe, expect, test } from 'vitest';
import { bench, bytes, u32 } from './peer.js';

const EINVAL = 22;
const NONE = 1;
const BOOL = 2;
const EVENTFD = 4;
const MASK = 8;
const UNMASK = 16;
const TRIGGER = 32;
const INTX = 0;
const MSI = 1;
const MSIX = 2;
const ERR = 3;

describe('binding', () => {
  test.each([1, 8])('[vfio-user:90] %i vectors signal their own eventfd', async (count) => {
    using stage = await bench();
    const peer = stage.hello();
    const { fds, files } = peer.eventfds(count);
    expect(peer.irqs(TRIGGER | EVENTFD, MSIX, 0, count, { fds })).toBe(0);
    for (let vector = 0; vector < count; vector += 1) {
      stage.device.raise(MSIX, vector);
      expect(files.map((file) => file.count)).toEqual(files.map((_, i) => (i <= vector ? 1 : 0)));
    }
  });

  test('[vfio-user:91] another eventfd takes the place of the first, which is closed', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const { fds, files } = peer.eventfds(2);
    peer.irqs(TRIGGER | EVENTFD, MSIX, 3, 1, { fds: [fds[0]!] });
    const before = stage.descriptors;
    peer.irqs(TRIGGER | EVENTFD, MSIX, 3, 1, { fds: [fds[1]!] });
    expect(stage.descriptors).toBe(before - 1);
    stage.device.raise(MSIX, 3);
    expect(files.map((file) => file.count)).toEqual([0, 1]);
  });

  test('[vfio-user:92] takes one descriptor a vector, or keeps what was', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const { fds, files } = peer.eventfds(1);
    peer.irqs(TRIGGER | EVENTFD, MSIX, 0, 1, { fds });
    expect(peer.irqs(TRIGGER | EVENTFD, MSIX, 0, 2, { fds: peer.eventfds(1).fds })).toBe(EINVAL);
    expect(peer.irqs(TRIGGER | EVENTFD, MSIX, 0, 1, { fds: peer.eventfds(2).fds })).toBe(EINVAL);
    stage.device.raise(MSIX, 0);
    expect(files[0]!.count).toBe(1);
  });

  test('takes eventfds and nothing else, or keeps what was', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const { fds, files } = peer.eventfds(1);
    peer.irqs(TRIGGER | EVENTFD, MSIX, 0, 1, { fds });
    const before = stage.descriptors;
    const mixed = [...peer.eventfds(1).fds, peer.file(new Uint8Array(8))];
    expect(peer.irqs(TRIGGER | EVENTFD, MSIX, 0, 2, { fds: mixed })).toBe(EINVAL);
    expect(stage.descriptors).toBe(before);
    stage.device.raise(MSIX, 0);
    expect(files[0]!.count).toBe(1);
  });

  test.each([INTX, MSIX, ERR])('[vfio-user:93] no descriptors unbind, index %i', async (index) => {
    using stage = await bench();
    const peer = stage.hello();
    const before = stage.descriptors;
    const { fds, files } = peer.eventfds(1);
    peer.irqs(TRIGGER | EVENTFD, index, 0, 1, { fds });
    expect(peer.irqs(TRIGGER | EVENTFD, index, 0, 1)).toBe(0);
    stage.device.raise(index, 0);
    expect(files[0]!.count).toBe(0);
    expect(stage.descriptors).toBe(before);
  });

  test('[vfio-user:103] 64 vectors can come in eights', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const files = [0, 8, 16, 24, 32, 40, 48, 56].flatMap((start) => {
      const chunk = peer.eventfds(8);
      expect(peer.irqs(TRIGGER | EVENTFD, MSIX, start, 8, { fds: chunk.fds })).toBe(0);
      return chunk.files;
    });
    for (let vector = 0; vector < 64; vector += 1) stage.device.raise(MSIX, vector);
    expect(files.map((file) => file.count)).toEqual(new Array(64).fill(1));
  });
});

describe('firing and masking', () => {
  test('[vfio-user:94] fires what is named, and nothing else', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const { fds, files } = peer.eventfds(3);
    peer.irqs(TRIGGER | EVENTFD, MSIX, 0, 3, { fds });
    expect(peer.irqs(TRIGGER | NONE, MSIX, 0, 2)).toBe(0);
    expect(files.map((file) => file.count)).toEqual([1, 1, 0]);
    expect(peer.irqs(TRIGGER | BOOL, MSIX, 1, 2, { data: [0, 1] })).toBe(0);
    expect(files.map((file) => file.count)).toEqual([1, 1, 1]);
  });

  test('[vfio-user:95] bools are as many as vectors, and have no descriptors', async () => {
    using stage = await bench();
    const peer = stage.hello();
    expect(peer.irqs(TRIGGER | BOOL, MSIX, 0, 2, { data: [1] })).toBe(EINVAL);
    expect(peer.irqs(TRIGGER | BOOL, MSIX, 0, 2, { data: [1, 1, 1] })).toBe(EINVAL);
    const fds = peer.eventfds(1).fds;
    expect(peer.irqs(TRIGGER | BOOL, MSIX, 0, 1, { data: [1], fds })).toBe(EINVAL);
    expect(peer.irqs(TRIGGER | NONE, MSIX, 0, 1, { fds: peer.eventfds(1).fds })).toBe(EINVAL);
  });

  test('[vfio-user:96] count 0 disables all of an index, and nothing less', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const before = stage.descriptors;
    peer.irqs(TRIGGER | EVENTFD, MSIX, 0, 4, { fds: peer.eventfds(4).fds });
    expect(peer.irqs(TRIGGER | NONE, MSIX, 1, 0)).toBe(EINVAL);
    expect(peer.irqs(TRIGGER | EVENTFD, MSIX, 0, 0)).toBe(EINVAL);
    expect(peer.irqs(TRIGGER | NONE, MSIX, 0, 0)).toBe(0);
    expect(stage.descriptors).toBe(before);
    // Nothing is enabled any more; asking again is no mistake.
    expect(peer.irqs(TRIGGER | NONE, MSIX, 0, 0)).toBe(0);
  });

  test('[vfio-user:97] one action and one kind of data', async () => {
    using stage = await bench();
    const peer = stage.hello();
    for (const flags of [MASK | TRIGGER | NONE, NONE, TRIGGER | NONE | BOOL, TRIGGER])
      expect(peer.irqs(flags, MSIX, 0, 1, { data: [1] })).toBe(EINVAL);
  });

  test.each([
    [MSIX, 64, 1],
    [MSIX, 63, 2],
    [MSIX, 1, 2 ** 32 - 1],
    [5, 0, 1],
    [0xffffffff, 0, 1],
  ])('[vfio-user:98 vfio-user:99] index %i has no vectors %i and %i on', async (...at) => {
    using stage = await bench();
    expect(stage.hello().irqs(TRIGGER | NONE, ...at)).toBe(EINVAL);
  });

  test('[vfio-user:99] argsz covers the structure', async () => {
    using stage = await bench();
    expect(stage.hello().errno(8, bytes(u32(3, TRIGGER | NONE, MSIX, 0, 1)))).toBe(EINVAL);
  });

  test('[vfio-user:100] a masked vector waits, and the device is told', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const { fds, files } = peer.eventfds(1);
    peer.irqs(TRIGGER | EVENTFD, MSIX, 5, 1, { fds });
    expect(peer.irqs(MASK | NONE, MSIX, 5, 1)).toBe(0);
    stage.device.raise(MSIX, 5);
    expect(files[0]!.count).toBe(0);
    expect(peer.irqs(UNMASK | NONE, MSIX, 5, 1)).toBe(0);
    expect(files[0]!.count).toBe(1);
    expect(stage.device.masks).toEqual(['mask 2:5+1', 'unmask 2:5+1']);
  });

  test('[vfio-user:100] bools say which vectors are masked', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const { fds, files } = peer.eventfds(3);
    peer.irqs(TRIGGER | EVENTFD, MSIX, 5, 3, { fds });
    expect(peer.irqs(MASK | BOOL, MSIX, 5, 3, { data: [1, 0, 1] })).toBe(0);
    for (const vector of [5, 6, 7]) stage.device.raise(MSIX, vector);
    expect(files.map(({ count }) => count)).toEqual([0, 1, 0]);
    expect(peer.irqs(UNMASK | BOOL, MSIX, 5, 3, { data: [0, 0, 1] })).toBe(0);
    expect(files.map(({ count }) => count)).toEqual([0, 1, 1]);
  });

  test('a reset drops what a mask holds back, and leaves the mask', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const { fds, files } = peer.eventfds(1);
    peer.irqs(TRIGGER | EVENTFD, MSIX, 5, 1, { fds });
    peer.irqs(MASK | NONE, MSIX, 5, 1);
    stage.device.raise(MSIX, 5);
    expect(peer.errno(13)).toBe(0);
    peer.irqs(UNMASK | NONE, MSIX, 5, 1);
    expect(files[0]!.count).toBe(0);
    stage.device.raise(MSIX, 5);
    expect(files[0]!.count).toBe(1);
  });

  test('masks go with the vectors that are disabled', async () => {
    using stage = await bench();
    const peer = stage.hello();
    peer.irqs(TRIGGER | EVENTFD, MSIX, 5, 1, { fds: peer.eventfds(1).fds });
    peer.irqs(MASK | NONE, MSIX, 5, 1);
    peer.irqs(TRIGGER | NONE, MSIX, 0, 0);
    const { fds, files } = peer.eventfds(1);
    peer.irqs(TRIGGER | EVENTFD, MSIX, 5, 1, { fds });
    stage.device.raise(MSIX, 5);
    expect(files[0]!.count).toBe(1);
  });

  test('[vfio-user:100] ERR can not be masked and is one', async () => {
    using stage = await bench();
    const peer = stage.hello();
    expect(peer.irqs(MASK | NONE, ERR, 0, 1)).toBe(EINVAL);
    expect(peer.irqs(TRIGGER | NONE, ERR, 0, 2)).toBe(EINVAL);
    expect(peer.irqs(TRIGGER | NONE, ERR, 0, 1)).toBe(0);
  });

  test('[vfio-user:101] an index without vectors takes nothing', async () => {
    using stage = await bench();
    const peer = stage.hello();
    for (const flags of [TRIGGER | NONE, MASK | NONE, TRIGGER | EVENTFD])
      for (const count of [0, 1]) expect(peer.irqs(flags, MSI, 0, count)).toBe(EINVAL);
  });

  test('an eventfd that unmasks is refused, never swallowed', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const { fds } = peer.eventfds(1);
    expect(peer.irqs(UNMASK | EVENTFD, INTX, 0, 1, { fds })).toBe(EINVAL);
  });
});
