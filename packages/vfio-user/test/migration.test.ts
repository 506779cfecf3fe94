import { describe, expect, test } from 'vitest';
import { bench, bytes, json, migrating, type Peer, u32, u64 } from './peer.js';
import { TestDevice, TestMigration } from './test-device.js';

const EINVAL = 22;
const GET = 0x10000;
const SET = 0x20000;
const PROBE = 0x40000;
const STATE = 2;
const START = 6;

const setState = (peer: Peer, state: number) => peer.feature(SET | STATE, u32(state, 0)).error;
const getState = (peer: Peer) => peer.feature(GET | STATE, u32(0, 0)).view.getUint32(8, true);

describe('reset', () => {
  test('[vfio-user:136] gives registers back and leaves windows and eventfds alone', async () => {
    using stage = await bench();
    const peer = stage.hello();
    peer.map(0, 0x1000, { fds: [peer.file(new Uint8Array(0x1000).fill(4))] });
    const { fds, files } = peer.eventfds(1);
    peer.irqs(0x24, 2, 0, 1, { fds });
    peer.write(0, 0, [1, 2, 3, 4]);
    expect(peer.errno(13)).toBe(0);
    expect([...peer.read(0, 0, 4).payload.slice(16)]).toEqual([0, 0, 0, 0]);
    stage.device.raise(2, 0);
    expect(files[0]!.count).toBe(1);
    expect(stage.memory.read(0, new Uint8Array(1))).toBe(0);
  });

  test('[vfio-user:138] the next client finds a device that was reset, without windows and interrupts', async () => {
    using stage = await bench();
    const peer = stage.hello();
    peer.map(0, 0x1000);
    const { fds, files } = peer.eventfds(1);
    peer.irqs(0x24, 2, 0, 1, { fds });
    peer.write(0, 0, [1, 2, 3, 4]);
    peer.client.disconnect();
    const next = stage.hello();
    expect([...next.read(0, 0, 4).payload.slice(16)]).toEqual([0, 0, 0, 0]);
    expect(next.map(0, 0x1000)).toBe(0);
    expect(next.irqs(0x21, 2, 0, 1)).toBe(0);
    expect([stage.device.sinks[2], files[0]!.count]).toEqual([[], 0]);
  });

  test('is not what a connection costs the device on which nothing was ever said', async () => {
    using stage = await bench();
    stage.device.regions[0]!.bytes.set([1, 2, 3, 4]);
    stage.connect().client.disconnect();
    expect([...stage.hello().read(0, 0, 4).payload.slice(16)]).toEqual([1, 2, 3, 4]);
  });
});

describe('features', () => {
  test('[vfio-user:139] need to be there and to be asked one thing', async () => {
    using stage = await migrating();
    const peer = stage.hello();
    expect(peer.feature(PROBE | GET | 99).error).toBe(EINVAL);
    expect(peer.feature(STATE).error).toBe(EINVAL);
    expect(peer.feature(STATE, u32(2, 0)).error).toBe(EINVAL);
    expect(peer.feature(PROBE | STATE).error).toBe(EINVAL);
    expect(peer.errno(16, u32(8))).toBe(EINVAL);
    expect(peer.feature(GET | SET | STATE, u32(2, 0)).error).toBe(EINVAL);
    expect(peer.feature(SET | 1, u64(0)).error).toBe(EINVAL);
    expect(peer.feature(GET | 1, u64(0), 12).error).toBe(EINVAL);
  });

  test('[vfio-user:139] of migration are missing where a device does not migrate', async () => {
    using stage = await bench();
    const peer = stage.hello();
    for (const feature of [1, 2, 6, 7, 8]) {
      expect(peer.feature(PROBE | GET | feature).error).toBe(EINVAL);
      expect(peer.feature(PROBE | SET | feature).error).toBe(EINVAL);
    }
  });

  test('[vfio-user:140] are echoed by a probe', async () => {
    using stage = await migrating();
    const peer = stage.hello();
    for (const flags of [PROBE | GET | 1, PROBE | GET | SET | STATE, PROBE | SET | START])
      expect(peer.feature(flags).payload).toEqual(u32(8, flags));
  });

  test('tell what a device can do', async () => {
    using stage = await migrating();
    expect(stage.hello().feature(GET | 1, u64(0)).payload).toEqual(bytes(u32(16, GET | 1), u64(5)));
  });
});

describe('states', () => {
  const PATHS: Readonly<Record<string, readonly number[]>> = {
    '1 2': [2],
    '1 3': [3],
    '1 4': [4],
    '1 6': [2, 6],
    '2 1': [1],
    '2 3': [1, 3],
    '2 4': [1, 4],
    '2 6': [6],
    '3 1': [1],
    '3 2': [1, 2],
    '3 4': [1, 4],
    '4 1': [1],
    '4 2': [1, 2],
    '4 3': [1, 3],
    '4 6': [1, 2, 6],
    '6 1': [2, 1],
    '6 2': [2],
    '6 3': [3],
    '6 4': [2, 1, 4],
    '1 1': [],
    '2 2': [],
    '3 3': [],
    '4 4': [],
    '6 6': [],
  };

  test.each(Object.entries(PATHS))('[vfio-user:141] the way %s', async (pair, path) => {
    using stage = await migrating();
    const peer = stage.hello();
    const [from, to] = pair.split(' ').map(Number) as [number, number];
    stage.migration.state = from;
    expect(setState(peer, to)).toBe(0);
    expect(stage.migration.steps).toEqual(path);
    expect(getState(peer)).toBe(to);
  });

  test.each([6, 0, 5, 7, 0xabcd])('[vfio-user:142] stop-copy does not lead to %i', async (to) => {
    using stage = await migrating();
    const peer = stage.hello();
    setState(peer, 3);
    expect(setState(peer, to)).toBe(EINVAL);
    expect(getState(peer)).toBe(3);
  });

  test('[vfio-user:143] a step that the driver refuses leaves the last good state', async () => {
    using stage = await migrating();
    const peer = stage.hello();
    stage.migration.refuse = 3;
    expect(setState(peer, 3)).toBe(16);
    expect(getState(peer)).toBe(1);
  });

  test('[vfio-user:17] another page size or a migration that is no object ends the connection', async () => {
    for (const migration of ['{"pgsize":4095}', '"23"']) {
      using stage = await migrating();
      const peer = stage.connect();
      expect(peer.errno(1, json(`{"capabilities":{"migration":${migration}}}\0`))).toBe(EINVAL);
      expect(peer.closed).toBe(true);
    }
  });
});

describe('data', () => {
  const read = (peer: Peer, size: number) => peer.ask(17, u32(8 + size, size));

  test.each([2, 1, 4])('[vfio-user:144] is not read in state %i', async (state) => {
    using stage = await migrating();
    const peer = stage.hello();
    setState(peer, state);
    expect(read(peer, 10).error).toBe(EINVAL);
  });

  test.each([6, 3])('[vfio-user:144] is read in state %i, short at the end', async (state) => {
    using stage = await migrating();
    const peer = stage.hello();
    setState(peer, state);
    const first = read(peer, 60);
    expect(first.payload).toEqual(bytes(u32(68, 60), stage.migration.contents.slice(0, 60)));
    expect(read(peer, 60).payload).toEqual(bytes(u32(48, 40), stage.migration.contents.slice(60)));
    expect(read(peer, 60).payload).toEqual(u32(8, 0));
  });

  test('[vfio-user:145] is written while resuming, and only then', async () => {
    using stage = await migrating();
    const peer = stage.hello();
    const write = (data: readonly number[], argsz = 8 + data.length, size = data.length) =>
      peer.errno(18, bytes(u32(argsz, size), data));
    expect(write([1])).toBe(EINVAL);
    setState(peer, 4);
    expect(write([1, 2], 9)).toBe(EINVAL);
    expect(write([1, 2], 11, 3)).toBe(EINVAL);
    expect(write([], 8 + 1048577, 1048577)).toBe(EINVAL);
    const data = Array.from({ length: 30 }, (_, i) => i);
    expect(write(data)).toBe(0);
    expect(stage.migration.arrived).toEqual(data);
  });

  test('[vfio-user:145] is written in pieces of what the server accepts', async () => {
    const device = new TestDevice();
    device.migration = new TestMigration();
    using stage = await bench({ limits: { maxDataXfer: 256 } }, device);
    const peer = stage.hello();
    setState(peer, 4);
    const write = (size: number) =>
      peer.errno(18, bytes(u32(8 + size, size), new Uint8Array(size)));
    expect([write(256), write(257)]).toEqual([0, EINVAL]);
    expect(device.migration.arrived).toHaveLength(256);
  });

  test('[vfio-user:16] is no more than the client accepts', async () => {
    using stage = await migrating();
    const peer = stage.connect();
    peer.hello('{"capabilities":{"max_data_xfer_size":4}}\0');
    setState(peer, 3);
    expect(read(peer, 5).error).toBe(EINVAL);
    expect(read(peer, 4).error).toBe(0);
  });

  test('carries a state from one device to another, with progress', async () => {
    using source = await migrating();
    using target = await migrating();
    const from = source.hello();
    const to = target.hello();
    setState(from, 3);
    setState(to, 4);
    for (;;) {
      const { payload } = read(from, 33);
      if (payload.length === 8) break;
      to.errno(18, bytes(u32(payload.length, payload.length - 8), payload.slice(8)));
    }
    setState(to, 2);
    expect(target.migration.arrived).toEqual([...source.migration.contents]);
    expect(source.events).toContainEqual({ kind: 'migration', state: 'STOP_COPY', bytes: 100 });
    expect(target.events.at(-1)).toEqual({ kind: 'migration', state: 'RUNNING', bytes: 100 });
  });
});

describe('a state that the client leaves behind', () => {
  test('is saved by one server and loaded by another, while their clients stay', async () => {
    using source = await migrating();
    using target = await migrating();
    const from = source.hello();
    const to = target.hello();
    target.server.loadState(source.server.saveState());
    expect(target.migration.arrived).toEqual([...source.migration.contents]);
    expect([source.migration.state, target.migration.state]).toEqual([3, 2]);
    expect([from.stays, to.stays]).toEqual([true, true]);
  });

  test('is not to be had from a device that can not migrate', async () => {
    using rigid = await bench();
    expect(() => rigid.server.saveState()).toThrow(expect.objectContaining({ code: 'ENOTTY' }));
  });
});
