import { describe, expect, test } from 'vitest';
import { bench, bytes, cut, message, type Peer, u32, u64 } from './peer.js';

const EINVAL = 22;
/** What a transport hands over in place of descriptors for which the process had no room. */
const LOST = -1;

const mapMessage = (id: number, address: number) =>
  message(2, bytes(u32(32, 3), u64(0, address, 0x1000)), { id });

/** Ten maps, of which the 1st, 4th and 10th bring a file filled with their number. */
function burst(peer: Peer): { all: Uint8Array; cuts: number[]; fds: (number | undefined)[] } {
  const messages = Array.from({ length: 10 }, (_, i) => mapMessage(i + 1, 0x10000 * (i + 1)));
  const fds = messages.map((_, i) =>
    [0, 3, 9].includes(i) ? peer.file(new Uint8Array(0x1000).fill(i + 1)) : undefined,
  );
  return { all: bytes(...messages), cuts: messages.map((_, i) => 48 * i), fds };
}

/** Delivers a burst as a stream socket does: a read passes over segments and stops behind one that had descriptors. */
function deliver(peer: Peer, { all, fds }: ReturnType<typeof burst>, buffer: number): void {
  for (let at = 0; at < all.length; ) {
    const segment = fds.findIndex(
      (fd, i) => fd !== undefined && 48 * i >= at - (at % 48) && 48 * (i + 1) > at,
    );
    const reach = segment === -1 ? all.length : 48 * (segment + 1);
    const end = Math.min(at + buffer, reach);
    const brought = fds.flatMap((fd, i) => {
      // The descriptor comes with the first byte of its segment.
      return fd !== undefined && 48 * i >= at && 48 * i < end ? [fd] : [];
    });
    peer.client.send(all.subarray(at, end), brought);
    at = end;
  }
}

describe('descriptors and the messages that they belong to', () => {
  test('[vfio-user:45 vfio-user:46] each window reads its own file, however many bytes are received at a time', async () => {
    // A message is 48 bytes: every cut of two of them, then every part of their 8-byte words.
    for (let buffer = 16; buffer <= 480; buffer += buffer < 112 ? 1 : 8) {
      using stage = await bench();
      const peer = stage.hello();
      deliver(peer, burst(peer), buffer);
      expect(cut(peer.client).map(({ id, error }) => [id, error])).toEqual(
        Array.from({ length: 10 }, (_, i) => [i + 1, 0]),
      );
      for (const number of [1, 4, 10]) {
        const byte = new Uint8Array(1);
        expect(stage.memory.read(0x10000 * number, byte)).toBe(0);
        expect(byte[0]).toBe(number);
      }
      // The others came without one, and only the client reaches them.
      expect(stage.memory.read(0x20000, new Uint8Array(1))).toBe(-11);
    }
  });

  test('a read that completes a message and begins one with a descriptor gives it to the second', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const fd = peer.file(new Uint8Array(0x1000).fill(9));
    const two = bytes(mapMessage(1, 0x10000), mapMessage(2, 0x20000));
    peer.client.send(two.subarray(0, 60), [fd]);
    peer.client.send(two.subarray(60));
    const byte = new Uint8Array(1);
    expect(stage.memory.read(0x10000, byte)).toBe(-11);
    expect(stage.memory.read(0x20000, byte)).toBe(0);
    expect(byte[0]).toBe(9);
  });

  test.each<[string, number, Uint8Array, number, number]>([
    ['[vfio-user:47] GET_INFO', 4, u32(16, 0, 0, 0), 2, 0],
    ['[vfio-user:48] an unknown command', 99, new Uint8Array(0), 2, EINVAL],
    ['[vfio-user:49] a SET_IRQS that fails', 8, u32(20, 0x24, 2, 0, 5), 3, EINVAL],
    ['a region read', 9, bytes(u64(0), u32(0, 4)), 2, 0],
    ['a DMA_MAP that fails', 2, bytes(u32(32, 99), u64(0, 0, 0x1000)), 1, EINVAL],
  ])('%s closes the descriptors that came along', async (_name, command, payload, count, errno) => {
    using stage = await bench();
    const peer = stage.hello();
    const before = stage.descriptors;
    expect(peer.errno(command, payload, peer.eventfds(count).fds)).toBe(errno);
    expect(stage.descriptors).toBe(before);
    expect(peer.stays).toBe(true);
  });

  test('[vfio-user:50] DMA_UNMAP works with a descriptor attached, which is closed', async () => {
    using stage = await bench();
    const peer = stage.hello();
    peer.map(0x1000, 0x1000);
    const before = stage.descriptors;
    expect(peer.errno(3, bytes(u32(24, 0), u64(0x1000, 0x1000)), peer.eventfds(1).fds)).toBe(0);
    expect(stage.descriptors).toBe(before);
  });

  test('[vfio-user:51] DMA_MAP uses the first of two descriptors and closes the second', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const before = stage.descriptors;
    const fds = [1, 2].map((value) => peer.file(new Uint8Array(0x1000).fill(value)));
    expect(peer.map(0x1000, 0x1000, { fds })).toBe(0);
    const byte = new Uint8Array(1);
    stage.memory.read(0x1000, byte);
    expect(byte[0]).toBe(1);
    expect(stage.descriptors).toBe(before + 1);
  });

  test('[vfio-user:52] more descriptors than announced are taken where there is use for them', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const before = stage.descriptors;
    const { fds } = peer.eventfds(16);
    expect(peer.irqs(0x24, 2, 0, 16, { fds })).toBe(0);
    expect(stage.descriptors).toBe(before + 16);
    peer.client.disconnect();
    expect(stage.descriptors).toBe(before);
  });

  test('[vfio-user:53] a disconnect closes windows and eventfds', async () => {
    using stage = await bench();
    const before = stage.descriptors;
    const peer = stage.hello();
    for (let i = 0; i < 5; i += 1)
      peer.map(0x10000 * i, 0x1000, { fds: [peer.file(new Uint8Array(0x1000))] });
    peer.irqs(0x24, 2, 0, 8, { fds: peer.eventfds(8).fds });
    peer.irqs(0x24, 3, 0, 1, { fds: peer.eventfds(1).fds });
    expect(stage.descriptors).toBe(before + 14);
    peer.client.disconnect();
    expect(stage.descriptors).toBe(before);
  });

  test('a message that never becomes whole brings no more than the kernel passes at a time', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const before = stage.descriptors;
    const start = message(8, new Uint8Array(200));
    peer.client.send(start.subarray(0, 1), peer.eventfds(253).fds);
    expect(peer.closed).toBe(false);
    peer.client.send(start.subarray(1, 2), peer.eventfds(253).fds);
    expect(peer.closed).toBe(true);
    expect(stage.descriptors).toBe(before);
    expect(stage.hello().stays).toBe(true);
  });

  test.each<[string, number, Uint8Array]>([
    ['DMA_MAP', 2, bytes(u32(32, 3), u64(0, 0x1000, 0x1000))],
    ['SET_IRQS', 8, u32(20, 0x24, 2, 0, 1)],
    ['GET_INFO', 4, u32(16, 0, 0, 0)],
    ['REGION_READ', 9, bytes(u64(0), u32(0, 4))],
  ])('%s is refused if its descriptors could not be received', async (_, command, payload) => {
    using stage = await bench();
    const peer = stage.hello();
    expect(peer.errno(command, payload, [LOST])).toBe(EINVAL);
    expect(peer.all(command, payload, [LOST], { flags: 0x10 })).toEqual([]);
    expect(stage.memory.windows.size).toBe(0);
    peer.client.send(message(command, payload).subarray(0, 20), [LOST]);
    peer.client.disconnect();
    expect(stage.hello().stays).toBe(true);
  });

  test('descriptors of a message that never became whole are closed', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const before = stage.descriptors;
    peer.client.send(mapMessage(1, 0).subarray(0, 20), peer.eventfds(2).fds);
    peer.client.disconnect();
    expect(stage.descriptors).toBe(before);
  });
});
