import { describe, expect, test } from 'vitest';
import { bench, bytes, cut, json, message, type Peer, u32, u64 } from './peer.js';

/** The next `count` bytes of what the server sent, as a client reads that knows how much has to come. */
function reader(peer: Peer): (count: number) => DataView {
  const all = bytes(...peer.client.packets.map((packet) => packet.bytes));
  peer.client.packets.length = 0;
  let at = 0;
  return (count) => {
    expect(all.length - at).toBeGreaterThanOrEqual(count);
    at += count;
    return new DataView(all.slice(at - count, at).buffer);
  };
}

describe('the Rust client that cloud-hypervisor uses', () => {
  test('takes JSON with a NUL behind it, whose length it knows from the header', async () => {
    using stage = await bench();
    const peer = stage.connect();
    const text =
      '{"capabilities":{"max_msg_fds":1,"max_data_xfer_size":1048576,"migration":{"pgsize":4096}}}\0';
    peer.client.send(message(1, json(text)));
    const read = reader(peer);
    const header = read(20);
    const size = header.getUint32(4, true) - 20;
    const reply = new TextDecoder().decode(read(size));
    expect(reply.at(-1)).toBe('\0');
    expect(JSON.parse(reply.slice(0, -1))).toHaveProperty('capabilities');
  });

  test('counts the header in argsz of GET_INFO, and asks every region twice if it has more to say', async () => {
    using stage = await bench();
    const peer = stage.hello();
    peer.client.send(message(4, u32(32, 0, 0, 0)));
    const info = reader(peer)(32);
    const [flags, regions] = [info.getUint32(20, true), info.getUint32(24, true)];
    expect([flags & 2, regions]).toEqual([2, 9]);
    for (let index = 0; index < regions; index += 1) {
      const ask = (argsz: number) => {
        peer.client.send(message(5, bytes(u32(argsz, 0, index, 0), u64(0, 0))));
        return reader(peer);
      };
      const argsz = ask(32)(48).getUint32(16, true);
      if (argsz === 32) continue;
      const read = ask(argsz);
      const fixed = read(48);
      expect(fixed.getUint32(4, true) - 48).toBe(argsz - 32);
      expect(read(argsz - 32).getUint16(0, true)).toBe(1);
    }
  });

  test('reads as much for an unmap that covers windows as for any other', async () => {
    using stage = await bench();
    const peer = stage.hello();
    peer.map(0x1000, 0x1000, { fds: [peer.file(new Uint8Array(0x1000))] });
    for (const [at, size] of [
      [0x1000, 0x1000],
      [0x1000, 0x1000],
      [0, 0x100000],
    ]) {
      peer.client.send(message(3, bytes(u32(24, 0), u64(at!, size!))));
      expect(reader(peer)(40).getUint32(12, true)).toBe(0);
    }
  });

  test('reads header and request of a write, then of a read the data', async () => {
    using stage = await bench();
    const peer = stage.hello();
    peer.client.send(message(10, bytes(u64(8), u32(0, 4), [1, 2, 3, 4])));
    expect(reader(peer)(32).getUint32(28, true)).toBe(4);
    peer.client.send(message(9, bytes(u64(8), u32(0, 4))));
    const read = reader(peer);
    read(32);
    expect(read(4).getUint32(0, true)).toBe(0x04030201);
  });
});

describe('the client of a storage toolkit', () => {
  test('says VERSION without JSON and 0 as the id of every message', async () => {
    using stage = await bench();
    const peer = stage.connect();
    const all = [message(1, json(''), { id: 0 }), message(4, u32(16, 0, 0, 0), { id: 0 })];
    for (const one of all) peer.client.send(one);
    expect(cut(peer.client)).toMatchObject([
      { id: 0, command: 1, error: 0 },
      { id: 0, command: 4, error: 0 },
    ]);
  });

  test('asks about regions with 4 KiB of room, and reads the answer with one read', async () => {
    using stage = await bench();
    const peer = stage.hello();
    for (const index of [0, 2, 7]) {
      const room = new Uint8Array(4096);
      room.set(u32(4096, 0, index, 0));
      peer.client.send(message(5, room));
      expect(peer.client.packets).toHaveLength(1);
      expect(cut(peer.client)[0]!.payload.length).toBeLessThanOrEqual(4096);
    }
  });
});
