import { Process } from '@vfiokit/uapi';
import { describe, expect, test } from 'vitest';
import { collectGarbage } from './garbage.js';
import { bench, bytes, cut, json, message, migrating, type Peer, u32, u64 } from './peer.js';

const EINVAL = 22;
const GET_INFO = u32(16, 0, 0, 0);
const QEMU =
  '{"capabilities":{"pgsizes":4096,"max_msg_fds":16,"max_dma_maps":65535,"max_data_xfer_size":1048576,"migration":{"pgsize":4096,"max_bitmap_size":268435456},"write_multiple":true}}\0';

/** Expects VERSION to be refused and the connection closed. */
async function refused(payload: Uint8Array): Promise<void> {
  using stage = await bench();
  const peer = stage.connect();
  expect(peer.errno(1, payload)).toBe(EINVAL);
  expect(peer.closed).toBe(true);
}

async function accepted(payload: Uint8Array): Promise<Peer> {
  const stage = await bench();
  const peer = stage.connect();
  expect(peer.errno(1, payload)).toBe(0);
  expect(peer.stays).toBe(true);
  return peer;
}

const text = (payload: Uint8Array) => new TextDecoder().decode(payload.subarray(4));

describe('negotiation', () => {
  test('[vfio-user:1] VERSION without JSON is answered with version 0.1 and JSON that ends in NUL', async () => {
    using stage = await bench();
    const reply = stage.connect().ask(1, json(''));
    expect([reply.flags, reply.view.getUint16(0, true), reply.view.getUint16(2, true)]).toEqual([
      1, 0, 1,
    ]);
    expect(reply.payload.at(-1)).toBe(0);
    expect(JSON.parse(text(reply.payload).slice(0, -1))).toHaveProperty('capabilities');
  });

  test.each([
    [0, 0],
    [9, 1],
  ])('[vfio-user:2 vfio-user:3] minor %i is answered with minor %i', async (minor, answer) => {
    using stage = await bench();
    const reply = stage.connect().hello('{}\0', minor);
    expect(reply.view.getUint16(2, true)).toBe(answer);
  });

  test('[vfio-user:4] another major version ends the connection', () => refused(json('{}\0', 1)));

  test.each([0, 3])('[vfio-user:5] a payload of %i bytes ends the connection', (length) =>
    refused(new Uint8Array(length)),
  );

  test.each(['{}', '{\0', '"\0'])(
    '[vfio-user:6 vfio-user:7 vfio-user:8] JSON %j ends the connection',
    (broken) => refused(json(broken)),
  );

  test.each([
    '{}\0',
    '{"capabilities":{}}\0',
    '{"capabilities":{"time_travel":true},"more":[1]}\0',
    '[]\0',
  ])('[vfio-user:9 vfio-user:10 vfio-user:11] JSON %j is fine', async (fine) => {
    await accepted(json(fine));
  });

  test.each(['3', '"23"', 'null', '[1]'])(
    '[vfio-user:12] capabilities that are %s end the connection',
    (value) => refused(json(`{"capabilities":${value}}\0`)),
  );

  test.each([
    '"max_msg_fds":"x"',
    '"max_msg_fds":-1',
    '"max_msg_fds":1025',
    '"max_data_xfer_size":"x"',
    '"max_dma_maps":{}',
    '"pgsizes":"4096"',
  ])('[vfio-user:13 vfio-user:15] the capability %s ends the connection', (capability) =>
    refused(json(`{"capabilities":{${capability}}}\0`)),
  );

  test('[vfio-user:14] a client that accepts no descriptor is never sent one', async () => {
    const peer = await accepted(json('{"capabilities":{"max_msg_fds":0}}\0'));
    const reply = peer.ask(5, bytes(u32(128, 0, 2, 0), u64(0, 0)));
    expect(reply.fd).toBeUndefined();
    expect(reply.view.getUint32(4, true)).toBe(3);
  });

  test('[vfio-user:18] the reply fits into what QEMU asked with, and is whole where it can not', async () => {
    using stage = await bench();
    const reply = stage.connect().ask(1, json(QEMU, 0, 0));
    expect(16 + 4 + QEMU.length).toBeLessThanOrEqual(214);
    expect(reply.size).toBeLessThanOrEqual(16 + 4 + QEMU.length);
    expect(JSON.parse(text(reply.payload).slice(0, -1)).capabilities).toMatchObject({
      max_msg_fds: 8,
      write_multiple: true,
    });
  });

  test('[vfio-user:18] a request of 20 bytes is answered with a complete message', async () => {
    using stage = await bench();
    const reply = stage.connect().ask(1, json(''));
    expect(reply.payload.at(-1)).toBe(0);
    expect(text(reply.payload)).toBe('{"capabilities":{}}\0');
  });

  test('[vfio-user:19] any other first message ends the connection', async () => {
    using stage = await bench();
    const peer = stage.connect();
    expect(peer.errno(4, GET_INFO)).toBe(EINVAL);
    expect(peer.closed).toBe(true);
  });

  test('[vfio-user:20] a second VERSION is refused, and the connection stays', async () => {
    using stage = await bench();
    const peer = stage.hello();
    expect(peer.errno(1, json('{}\0'))).toBe(EINVAL);
    expect(peer.stays).toBe(true);
  });

  test('[vfio-user:21] twin sockets are not offered', async () => {
    using stage = await bench();
    const reply = stage.connect().hello('{"capabilities":{"twin_socket":{"supported":true}}}\0');
    expect(reply.fd).toBeUndefined();
    expect(text(reply.payload)).not.toContain('twin_socket');
  });
});

describe('the end of a connection', () => {
  test.each([7, 20])(
    '[vfio-user:41] a client may vanish after %i bytes of a message',
    async (length) => {
      using stage = await bench();
      const peer = stage.hello();
      peer.client.send(message(4, GET_INFO).subarray(0, length));
      peer.client.disconnect();
      expect(stage.events.map(({ kind }) => kind)).toEqual(['attached', 'detached']);
      expect(stage.hello().stays).toBe(true);
    },
  );

  test('[vfio-user:42] a client may vanish while it is sent to', async () => {
    using stage = await bench();
    const peer = stage.hello();
    peer.client.room = 10;
    peer.client.send(message(9, bytes(u64(0), u32(0, 0x1000))));
    expect(peer.client.user?.paused).toBe(true);
    peer.client.disconnect();
    expect(stage.hello().stays).toBe(true);
  });

  test('a client that does not take its replies is answered no further', async () => {
    using stage = await bench();
    const peer = stage.hello();
    const reset = message(13, undefined, { id: 2 });
    peer.client.room = 10;
    peer.client.send(bytes(message(9, bytes(u64(0), u32(4, 20000))), reset, reset, reset));
    expect(stage.device.resets).toBe(0);
    peer.client.drain(20);
    expect(stage.device.resets).toBe(0);
    peer.client.drain();
    expect(stage.device.resets).toBe(3);
    expect(cut(peer.client).map(({ id, size }) => [id, size])).toEqual([
      [1, 20032],
      [2, 16],
      [2, 16],
      [2, 16],
    ]);
  });

  test('a client in memory that neither takes replies nor stops to send is told so', async () => {
    using stage = await bench();
    const { client } = stage.hello();
    client.room = 10;
    const read = message(9, bytes(u64(0), u32(4, 20000)));
    const sendOn = () => {
      for (;;) client.send(read);
    };
    expect(sendOn).toThrow(expect.objectContaining({ code: 'EAGAIN' }));
    client.drain();
    expect(client.user?.paused).toBe(false);
  });

  test.each([
    ['a region read', message(9, bytes(u64(0), u32(4, 2 ** 20)), { id: 2 }), 32 + 2 ** 20],
    ['a state', message(17, u32(8 + 20000, 20000), { id: 2 }), 24 + 20000],
    ['an error', message(99, undefined, { id: 2 }), 16],
  ])(
    '%s behind a large reply that was not taken waits for its turn, and is whole',
    async (_, next, size) => {
      using stage = await migrating();
      stage.migration.contents = new Uint8Array(20000);
      const peer = stage.hello();
      peer.feature(0x20002, u32(3, 0));
      stage.device.regions[4]!.bytes.fill(0x3c);
      const large = message(9, bytes(u64(0), u32(4, 2 ** 20)), { id: 1 });
      peer.client.room = 1000;
      peer.client.send(bytes(large, next));
      while (peer.client.user?.paused === true) peer.client.drain(300_000);
      expect(cut(peer.client).map(({ id, size: got }) => [id, got])).toEqual([
        [1, 32 + 2 ** 20],
        [2, size],
      ]);
      expect(stage.events.filter(({ kind }) => kind === 'failure')).toEqual([]);
    },
  );

  test('[vfio-user:43] a second client is served when the first has gone', async () => {
    using stage = await bench();
    const first = stage.hello();
    const second = stage.connect();
    second.client.send(message(1, json('{}\0')));
    expect(second.client.user).toBeUndefined();
    first.client.disconnect();
    expect(second.hello().error).toBe(0);
  });

  test('[vfio-user:44] a thousand clients leave no descriptor behind', async () => {
    const user = new Process();
    using stage = await bench({ process: user });
    const before = stage.descriptors;
    for (let i = 0; i < 1000; i += 1) {
      const peer = stage.hello();
      peer.map(0x1000, 0x1000, { fds: [peer.file(new Uint8Array(0x1000))] });
      peer.irqs(0x24, 2, 0, 2, { fds: peer.eventfds(2).fds });
      peer.client.disconnect();
    }
    expect(stage.descriptors).toBe(before);
    expect(user.fds.install({ kind: 'other', close() {} })).toBe(3);
    expect(stage.device.resets).toBe(1000);
  });

  test('[vfio-user:44] and no memory', async () => {
    using stage = await bench();
    collectGarbage();
    const before = process.memoryUsage().arrayBuffers;
    const growth = () => process.memoryUsage().arrayBuffers - before;
    // A connection has buffers of more than 2 MiB.
    for (let i = 0; i < 100; i += 1) stage.hello().client.disconnect();
    // Buffers are given back some time after a collection.
    for (let turns = 0; turns < 100 && growth() >= 2 ** 24; turns += 1) {
      collectGarbage();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(growth()).toBeLessThan(2 ** 24);
  });
});
