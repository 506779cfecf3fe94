import { VfioError } from '@vfiokit/uapi';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bench, bytes, cut, message, u32, u64 } from './peer.js';

const EINVAL = 22;
const EIO = 5;

const access = (offset: number | bigint, region: number, count: number, data: number[] = []) =>
  bytes(u64(offset), u32(region, count), data);

describe('reads', () => {
  test.each([1, 2, 3, 4, 8, 4096])(
    '[vfio-user:73] of %i bytes repeat the request',
    async (count) => {
      using stage = await bench();
      stage.device.regions[0]!.bytes.forEach((_, i, all) => {
        all[i] = i * 7;
      });
      const reply = stage.hello().read(0, 0, count);
      expect(reply.payload.slice(0, 16)).toEqual(access(0, 0, count));
      expect(reply.payload.slice(16)).toEqual(stage.device.regions[0]!.bytes.slice(0, count));
    },
  );

  test.each([4094, 4096, 2n ** 40n, 2n ** 64n - 2n])(
    '[vfio-user:74] past the end, at %s, are refused',
    async (offset) => {
      using stage = await bench();
      const peer = stage.hello();
      expect(peer.read(0, offset, 4).error).toBe(EINVAL);
      expect(peer.stays).toBe(true);
    },
  );

  test.each([0, 4096])('[vfio-user:75] of nothing, at %i, are a header', async (offset) => {
    using stage = await bench();
    expect(stage.hello().read(0, offset, 0)).toMatchObject({ size: 16, error: 0, flags: 1 });
  });

  test('[vfio-user:76] need a region, a count within the limit and a whole request', async () => {
    using stage = await bench();
    const peer = stage.hello();
    expect(peer.read(9, 0, 4).error).toBe(EINVAL);
    expect(peer.read(1, 0, 4).error).toBe(EINVAL);
    expect(peer.read(4, 0, 1048577).error).toBe(EINVAL);
    expect(peer.errno(9, bytes(access(0, 0, 4), new Uint8Array(8)))).toBe(0);
    // What stands behind a short request is of the one before it.
    expect(peer.errno(9, u32(0, 0, 0))).toBe(EINVAL);
    expect(stage.device.accesses).toEqual(['read 0+0x0 4']);
  });

  test('[vfio-user:76] need a count within the limit, where the region has more', async () => {
    using stage = await bench({ limits: { maxDataXfer: 256 } });
    const peer = stage.hello();
    expect(peer.read(0, 0, 256).error).toBe(0);
    expect(peer.read(0, 0, 257).error).toBe(EINVAL);
    expect(stage.device.accesses).toEqual(['pread 0+0x0 256']);
  });

  test('[vfio-user:84] config space comes whole', async () => {
    using stage = await bench();
    stage.device.regions[7]!.bytes.fill(0xa5);
    const reply = stage.hello().read(7, 0, 4096);
    expect(reply.payload.slice(16)).toEqual(new Uint8Array(4096).fill(0xa5));
  });

  test('[vfio-user:83] by message show what a mapping shows', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const { fd } = peer.ask(5, bytes(u32(128, 0, 2, 0), u64(0, 0)));
    const file = stage.transport.descriptors.get(fd!);
    if (file === undefined || !('bytes' in file)) throw new Error('no memory');
    file.bytes[0x2004] = 0x42;
    expect([...peer.read(2, 0x2004, 1).payload.slice(16)]).toEqual([0x42]);
  });
});

describe('writes', () => {
  test('[vfio-user:77] carry exactly the data that they announce', async () => {
    using stage = await bench();
    const peer = stage.hello();
    expect(peer.errno(10, access(0, 0, 8, [1, 2, 3, 4]))).toBe(EINVAL);
    expect(peer.errno(10, access(0, 0, 2, [1, 2, 3, 4]))).toBe(EINVAL);
    expect(stage.device.accesses).toEqual([]);
  });

  test('[vfio-user:78 vfio-user:79] neither pass the end nor reach a read-only region', async () => {
    using stage = await bench();
    const peer = stage.hello();
    expect(peer.write(0, 4094, [1, 2, 3, 4])[0]?.error).toBe(EINVAL);
    expect(peer.write(3, 0, [1, 2, 3, 4])[0]?.error).toBe(EINVAL);
    expect(peer.read(3, 0, 4).error).toBe(0);
    expect(stage.device.accesses).toEqual(['read 3+0x0 4']);
  });

  test('[vfio-user:80] that are posted are seen by the next read', async () => {
    using stage = await bench();
    const peer = stage.hello();
    expect(peer.write(0, 8, [1, 2, 3, 4], 0x10)).toEqual([]);
    expect([...peer.read(0, 8, 4).payload.slice(16)]).toEqual([1, 2, 3, 4]);
  });

  test('[vfio-user:81] ten thousand posted ones get one reply, to the read behind them', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const writes = Array.from({ length: 10000 }, (_, i) =>
      message(10, access(0, 0, 4, [i & 255, i >> 8, 0, 0]), { flags: 0x10 }),
    );
    const read = message(9, access(0, 0, 4), { id: 9 });
    const all = new Uint8Array(writes.length * 36 + 32);
    for (const [i, write] of writes.entries()) all.set(write, 36 * i);
    all.set(read, writes.length * 36);
    peer.client.send(all);
    const replies = cut(peer.client);
    expect(replies.map(({ id }) => id)).toEqual([9]);
    expect([...replies[0]!.payload.slice(16)]).toEqual([9999 & 255, 9999 >> 8, 0, 0]);
  });

  test('[vfio-user:82] that are posted and bad say nothing and change nothing', async () => {
    using stage = await bench();
    const peer = stage.hello();
    peer.write(0, 0xffc, [5, 6, 7, 8]);
    expect(peer.write(0, 4094, [1, 2, 3, 4], 0x10)).toEqual([]);
    expect(peer.write(0, 4096, [1, 2, 3, 4], 0x10)).toEqual([]);
    const short = access(0xffc, 0, 4, [1, 2]);
    expect(peer.all(10, short, [], { flags: 0x10 })).toEqual([]);
    expect([...peer.read(0, 0xffc, 4).payload.slice(16)]).toEqual([5, 6, 7, 8]);
  });
});

describe('what reaches the device', () => {
  test('[vfio-user:88] aligned accesses of 1, 2 and 4 bytes are one access each, 8 bytes one transfer', async () => {
    using stage = await bench();
    const peer = stage.hello();
    for (const count of [1, 2, 4, 8]) peer.read(0, 8, count);
    peer.write(0, 8, [1, 0, 0, 0, 2, 0, 0, 0]);
    peer.read(0, 6, 4);
    expect(stage.device.accesses).toEqual([
      'read 0+0x8 1',
      'read 0+0x8 2',
      'read 0+0x8 4',
      'pread 0+0x8 8',
      'pwrite 0+0x8 8',
      'pread 0+0x6 4',
    ]);
  });

  test('[vfio-user:87] what a device throws is EIO or its own errno, and told to the server', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const error = new TypeError('x is undefined');
    stage.device.onRead = () => {
      throw error;
    };
    expect(peer.read(0, 0, 4).error).toBe(EIO);
    stage.device.onRead = () => {
      throw new VfioError('EBUSY', 'device: busy');
    };
    expect(peer.read(0, 0, 16).error).toBe(16);
    expect(peer.stays).toBe(true);
    expect(stage.events).toContainEqual({ kind: 'failure', error });
  });

  test('a negative result of the device is the errno of the reply', async () => {
    using stage = await bench();
    const peer = stage.hello();
    stage.device.read = () => -EIO;
    stage.device.write = () => -14;
    expect(peer.read(0, 0, 4).error).toBe(EIO);
    expect(peer.write(0, 0, [0])[0]?.error).toBe(14);
  });

  test('reads and writes agree with plain memory, whatever their width and alignment', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const model = new Uint8Array(0x1000);
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            offset: fc.integer({ min: 0, max: 0xff0 }),
            data: fc.uint8Array({ minLength: 1, maxLength: 16 }),
          }),
        ),
        (writes) => {
          for (const { offset, data } of writes) {
            peer.write(0, offset, [...data]);
            model.set(data, offset);
            const reply = peer.read(0, offset, data.length);
            expect(reply.payload.slice(16)).toEqual(model.slice(offset, offset + data.length));
          }
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe('many writes in one message', () => {
  const entry = (offset: number, data: number[], region = 0) =>
    bytes(u64(offset), u32(region, data.length), [...data, ...new Array(8 - data.length).fill(0)]);

  test('[vfio-user:89] are done in order', async () => {
    using stage = await bench();
    const entries = Array.from({ length: 200 }, (_, i) => entry(4 * (i % 100), [i, 0, 0, 1]));
    const reply = stage.hello().ask(15, bytes(u64(200), ...entries));
    expect(reply.view.getBigUint64(0, true)).toBe(200n);
    expect(stage.device.accesses).toHaveLength(200);
    expect(stage.device.accesses.at(-1)).toBe('write 0+0x18c 4 0x10000c7');
  });

  test('[vfio-user:89] are none if the count does not fit the message', async () => {
    using stage = await bench();
    const peer = stage.hello();
    expect(peer.errno(15, bytes(u64(3), entry(0, [1]), entry(4, [1])))).toBe(EINVAL);
    expect(peer.errno(15, bytes(u64(2n ** 63n), entry(0, [1])))).toBe(EINVAL);
    const long = bytes(u64(0), u32(0, 9), new Uint8Array(8));
    expect(peer.errno(15, bytes(u64(1), long))).toBe(EINVAL);
    expect(stage.device.accesses).toEqual([]);
  });

  test('[vfio-user:89] stop at the first that fails', async () => {
    using stage = await bench();
    const entries = [0, 4, 0x1000, 8, 12].map((offset) => entry(offset, [1, 2, 3, 4]));
    const reply = stage.hello().ask(15, bytes(u64(5), ...entries));
    expect(reply.view.getBigUint64(0, true)).toBe(2n);
    expect(stage.device.accesses).toHaveLength(2);
  });
});
