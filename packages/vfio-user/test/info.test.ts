import { describe, expect, test } from 'vitest';
import { bench, bytes, type Message, message, type Peer, u32, u64 } from './peer.js';

const EINVAL = 22;
const words = ({ payload }: Message) => [...new Uint32Array(payload.slice().buffer)];
const regionInfo = (peer: Peer, index: number, argsz = 32) =>
  peer.ask(5, bytes(u32(argsz, 0, index, 0), u64(0, 0)));
const SPARSE = [0x10001, 0, 2, 0, 0x2000, 0, 0x1000, 0, 0x4000, 0, 0x2000, 0];

describe('device info', () => {
  test('[vfio-user:55] needs an argsz of 16, and never answers with more', async () => {
    using stage = await bench();
    const peer = stage.hello();
    for (const argsz of [8, 15]) expect(peer.errno(4, u32(argsz, 0, 0, 0))).toBe(EINVAL);
    expect(words(peer.ask(4, u32(16, 0, 0, 0)))).toEqual([16, 3, 9, 5]);
    expect(words(peer.ask(4, u32(64, 0, 0, 0)))).toEqual([16, 3, 9, 5]);
  });

  test('[vfio-user:56] needs a whole structure, whose other fields mean nothing', async () => {
    using stage = await bench();
    const peer = stage.hello();
    expect(peer.errno(4, u32(16))).toBe(EINVAL);
    expect(words(peer.ask(4, u32(16, 7, 8, 9)))).toEqual([16, 3, 9, 5]);
  });
});

describe('region info', () => {
  test('[vfio-user:57 vfio-user:58] refuses short requests and regions that there are not', async () => {
    using stage = await bench();
    const peer = stage.hello();
    expect(regionInfo(peer, 0, 31).error).toBe(EINVAL);
    expect(peer.errno(5, u32(32, 0))).toBe(EINVAL);
    expect(regionInfo(peer, 9).error).toBe(EINVAL);
    expect(regionInfo(peer, 0xffffffff).error).toBe(EINVAL);
  });

  test.each([32, 48])('[vfio-user:59] a plain region, argsz %i', async (argsz) => {
    using stage = await bench();
    const reply = regionInfo(stage.hello(), 0, argsz);
    expect(words(reply)).toEqual([32, 3, 0, 0, 0x1000, 0, 0, 0]);
  });

  test.each([32, 79])(
    '[vfio-user:60 vfio-user:61] a mappable region tells how much room it needs, argsz %i',
    async (argsz) => {
      using stage = await bench();
      const reply = regionInfo(stage.hello(), 2, argsz);
      expect(words(reply).slice(0, 8)).toEqual([80, 7, 2, 0, 0x8000, 0, 0x8000, 0]);
      expect(reply.payload.length).toBeLessThanOrEqual(79);
      expect(reply.fd).toBeUndefined();
    },
  );

  test.each([80, 128])(
    '[vfio-user:62] with room it brings its areas and a descriptor, argsz %i',
    async (argsz) => {
      using stage = await bench();
      const reply = regionInfo(stage.hello(), 2, argsz);
      expect(words(reply)).toEqual([80, 15, 2, 32, 0x8000, 0, 0x8000, 0, ...SPARSE]);
      expect(reply.fd).toBeDefined();
    },
  );

  test('a reply with a descriptor is sent on its own, behind what waits', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const asked = message(5, bytes(u32(128, 0, 2, 0), u64(0, 0)));
    peer.client.send(bytes(message(13), asked, message(13)));
    expect(peer.client.packets.map((packet) => packet.bytes.length)).toEqual([16, 96, 16]);
    expect(peer.client.packets.map((packet) => packet.fd !== undefined)).toEqual([
      false,
      true,
      false,
    ]);
  });

  test('[vfio-user:64 vfio-user:66] what is not there has no size', async () => {
    using stage = await bench();
    const peer = stage.hello();
    for (const index of [1, 5, 6, 8])
      expect(words(regionInfo(peer, index))).toEqual([32, 0, index, 0, 0, 0, 0, 0]);
  });

  test('[vfio-user:65] config space is read and written', async () => {
    using stage = await bench();
    expect(words(regionInfo(stage.hello(), 7))).toEqual([32, 3, 7, 0, 0x1000, 0, 0, 0]);
  });
});

describe('interrupt info', () => {
  test('[vfio-user:69] refuses short requests and indexes that there are not', async () => {
    using stage = await bench();
    const peer = stage.hello();
    expect(peer.errno(7, u32(15, 0, 0, 0))).toBe(EINVAL);
    expect(peer.errno(7, u32(16, 0, 5, 0))).toBe(EINVAL);
    expect(words(peer.ask(7, u32(99, 0, 2, 0)))).toEqual([16, 1, 2, 64]);
  });

  test('[vfio-user:70] counts vectors, all of them by eventfd', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const infos = [0, 1, 2, 3, 4].map((index) => words(peer.ask(7, u32(16, 0, index, 0))));
    expect(infos.map(([, , , count]) => count)).toEqual([1, 0, 64, 1, 1]);
    expect(infos.every(([, flags]) => (flags! & 1) === 1)).toBe(true);
    expect(infos[0]![1]).toBe(7);
  });
});

describe('descriptors of regions', () => {
  test('[vfio-user:71] there are none', async () => {
    using stage = await bench();
    expect(words(stage.hello().ask(6, u32(16, 0, 0, 0)))).toEqual([16, 0, 0, 0]);
  });

  test.each([
    [16, 1, 0, 0],
    [16, 0, 0, 1],
    [15, 0, 0, 0],
    [2 ** 21, 0, 0, 0],
    [16, 0, 9, 0],
    [16, 0, 1, 0],
  ])('[vfio-user:72] refuses argsz %i flags %i index %i count %i', async (...request) => {
    using stage = await bench();
    expect(stage.hello().errno(6, u32(...request))).toBe(EINVAL);
  });
});
