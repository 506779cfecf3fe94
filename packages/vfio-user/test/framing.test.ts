import { describe, expect, test } from 'vitest';
import { bench, bytes, cut, json, message, migrating, u32, u64 } from './peer.js';

const EINVAL = 22;
const GET_INFO = u32(16, 0, 0, 0);

describe('framing', () => {
  test.each<[string, number, Uint8Array]>([
    ['DMA_MAP that is refused', 2, bytes(u32(32, 99), u64(0, 0, 0x1000))],
    ['DMA_UNMAP', 3, bytes(u32(24, 0), u64(0x1000, 0x1000))],
    ['GET_INFO', 4, GET_INFO],
    ['GET_REGION_INFO', 5, bytes(u32(128, 0, 2, 0), u64(0, 0))],
    ['GET_REGION_IO_FDS', 6, u32(16, 0, 0, 0)],
    ['GET_IRQ_INFO', 7, u32(16, 0, 2, 0)],
    ['SET_IRQS', 8, bytes(u32(23, 0x22, 2, 0, 3), [1, 0, 1])],
    ['REGION_READ', 9, bytes(u64(0x10), u32(0, 4))],
    ['REGION_WRITE', 10, bytes(u64(0x10), u32(0, 5), [1, 2, 3, 4, 5])],
    ['RESET', 13, new Uint8Array(0)],
    ['REGION_WRITE_MULTI', 15, bytes(u64(1), u64(0), u32(0, 4), new Uint8Array(8))],
    ['FEATURE', 16, bytes(u32(16, 0x10001), u64(0))],
    ['an unknown command', 99, u32(1, 2, 3)],
  ])(
    '[vfio-user:22] %s cut at any byte is answered as in one piece',
    async (_, command, payload) => {
      using stage = await migrating();
      const peer = stage.hello();
      const whole = message(command, payload, { id: 7 });
      peer.client.send(whole);
      const [expected] = cut(peer.client);
      expect(expected).toMatchObject({ id: 7, command });
      for (let at = 1; at < whole.length; at += 1) {
        peer.client.send(whole.subarray(0, at));
        expect(peer.client.packets).toEqual([]);
        peer.client.send(whole.subarray(at));
        expect(cut(peer.client)).toEqual([expected]);
      }
    },
  );

  test('[vfio-user:22] VERSION cut at any byte is answered as in one piece', async () => {
    using stage = await bench();
    const whole = message(1, json('{}\0'));
    const answers = Array.from({ length: whole.length }, (_, at) => {
      const peer = stage.connect();
      peer.client.send(whole.subarray(0, at));
      peer.client.send(whole.subarray(at));
      const replies = cut(peer.client);
      peer.client.disconnect();
      return replies;
    });
    expect(answers[0]).toMatchObject([{ command: 1, error: 0 }]);
    for (const replies of answers) expect(replies).toEqual(answers[0]);
  });

  test('[vfio-user:23] ten messages in one send get ten replies in order, in one send', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const ten = Array.from({ length: 10 }, (_, id) => message(4, GET_INFO, { id }));
    peer.client.send(bytes(...ten));
    expect(peer.client.packets).toHaveLength(1);
    expect(cut(peer.client).map(({ id }) => id)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('[vfio-user:24] half a message waits for its rest', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const two = bytes(message(4, GET_INFO, { id: 1 }), message(4, GET_INFO, { id: 2 }));
    peer.client.send(two.subarray(0, 48));
    expect(cut(peer.client).map(({ id }) => id)).toEqual([1]);
    peer.client.send(two.subarray(48));
    expect(cut(peer.client).map(({ id }) => id)).toEqual([2]);
  });

  test.each([0, 15, 1048609, 0xffffffff])(
    '[vfio-user:25 vfio-user:26] a size of %i is refused and ends the connection',
    async (size) => {
      using stage = await bench();
      const peer = stage.hello();
      expect(peer.errno(4, undefined, [], { size })).toBe(EINVAL);
      expect(peer.closed).toBe(true);
    },
  );

  test('[vfio-user:27] a write of 1 MiB is the largest message', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const data = new Uint8Array(2 ** 20).fill(0x5a);
    const payload = bytes(u64(0), u32(4, 2 ** 20), data);
    expect(payload.length + 16).toBe(1048608);
    expect(peer.errno(10, payload)).toBe(0);
    expect(stage.device.regions[4]!.bytes.every((byte) => byte === 0x5a)).toBe(true);
  });

  test.each([1, 2, 15])(
    '[vfio-user:28 vfio-user:29] a message of type %i is refused under its own id',
    async (type) => {
      using stage = await bench();
      const peer = stage.hello();
      const reply = peer.ask(4, GET_INFO, [], { id: 77, flags: type });
      expect([reply.id, reply.error]).toEqual([77, EINVAL]);
      expect(peer.stays).toBe(true);
    },
  );

  test.each([0, 14, 19, 65535, 11, 12])(
    '[vfio-user:30 vfio-user:31] command %i is unknown from a client',
    async (command) => {
      using stage = await bench();
      const peer = stage.hello();
      expect(peer.errno(command, new Uint8Array(32))).toBe(EINVAL);
      expect(peer.stays).toBe(true);
    },
  );

  test.each([2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 16, 17, 18])(
    '[vfio-user:32] command %i needs a payload',
    async (command) => {
      using stage = await bench();
      const peer = stage.hello();
      expect(peer.errno(command)).toBe(EINVAL);
      expect(peer.stays).toBe(true);
    },
  );

  test('[vfio-user:33 vfio-user:34] RESET needs no payload and accepts one', async () => {
    using stage = await bench();
    const peer = stage.hello();
    expect(peer.errno(13)).toBe(0);
    expect(peer.errno(13, u32(1, 2, 3))).toBe(0);
    expect(stage.device.resets).toBe(2);
  });

  test('[vfio-user:35] the error bit and unknown bits of a command mean nothing', async () => {
    using stage = await bench();
    const peer = stage.hello();
    expect(peer.errno(4, GET_INFO, [], { flags: 0x20 })).toBe(0);
    expect(peer.errno(4, GET_INFO, [], { flags: 0xffffffc0 })).toBe(0);
  });

  test('[vfio-user:36] a reply repeats id and command', async () => {
    using stage = await bench();
    const peer = stage.hello();
    for (const id of [0, 1, 0xffff])
      expect(peer.ask(4, GET_INFO, [], { id })).toMatchObject({ id, command: 4, flags: 1 });
  });

  test('[vfio-user:37] an id may be used twice at a time', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const one = message(4, GET_INFO, { id: 5 });
    peer.client.send(bytes(one, one));
    expect(cut(peer.client).map(({ id }) => id)).toEqual([5, 5]);
  });

  test('[vfio-user:38 vfio-user:39] a command without reply gets none, whether it works or fails', async () => {
    using stage = await bench();
    const peer = stage.hello();
    expect(peer.all(4, GET_INFO, [], { flags: 0x10 })).toEqual([]);
    expect(peer.all(4, u32(8), [], { flags: 0x10 })).toEqual([]);
    expect(peer.all(99, undefined, [], { flags: 0x10 })).toEqual([]);
    expect(peer.all(9, bytes(u64(0), u32(0, 4)), [], { flags: 0x10 })).toEqual([]);
    expect(peer.all(13)).toHaveLength(1);
    expect(peer.stays).toBe(true);
  });

  test('[vfio-user:40] an error reply is a header', async () => {
    using stage = await bench();
    const peer = stage.hello();
    expect(peer.ask(99)).toMatchObject({ size: 16, flags: 0x21, error: EINVAL });
    expect(peer.read(9, 0, 4)).toMatchObject({ size: 16, flags: 0x21, error: EINVAL });
  });
});
