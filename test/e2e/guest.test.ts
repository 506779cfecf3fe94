// What the guest of `npm run e2e` does with the copier, by a client that sends what QEMU sends for it; without QEMU, so that it
// is part of every test run.
import { openCopier, REGISTERS } from '@vfiokit/example-served-device';
import { ClientMemory, MemoryTransport, VfioUserServer } from '@vfiokit/vfio-user';
import { afterEach, describe, expect, test } from 'vitest';
import { bytes, message, Peer, u32, u64 } from '../../packages/vfio-user/test/peer.js';

const { SCRATCH, ADDRESS, LENGTH, COMMAND, STATUS, RAISE } = REGISTERS;
const FETCH = 1;
const STORE = 2;
const BUSY = 1;
const DONE = 2;
const EFAULT = 0x100 + 14;
const IOVA = 0x1000_0000;
const PAGE = 4096;

const servers: VfioUserServer[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A copier behind a socket, and a guest that has switched it on. */
async function boot() {
  const dma = new ClientMemory();
  const storage = new Uint8Array(0x10000);
  const { device, process } = openCopier(storage, dma);
  const transport = new MemoryTransport();
  const fd = transport.descriptors.install({ bytes: storage });
  const mappable = new Map([[2, { fd, offset: 0, bytes: storage }]]);
  const options = { device, process, transport, path: 'copier', memory: dma, mappable };
  servers.push(await VfioUserServer.listen(options));
  const peer = new Peer(transport.connect('copier'), transport);
  peer.hello();
  peer.write(7, 4, [6, 0]);
  const get = (offset: number, count = 4, region = 0) => {
    const { view } = peer.read(region, offset, count);
    return count === 4 ? view.getUint32(16, true) : Number(view.getBigUint64(16, true));
  };
  const set = (offset: number, value: number) => peer.write(0, offset, [...u32(value)]);
  const copy = (command: number) => {
    peer.write(0, ADDRESS, [...u64(IOVA)]);
    set(LENGTH, PAGE);
    return set(COMMAND, command);
  };
  return { peer, storage, transport, get, set, copy };
}

const pattern = Uint8Array.from({ length: PAGE }, (_, i) => (i * 13 + 5) & 0xff);

test('[vfio-user:148] a guest finds ids, class, capabilities and the sizes of BARs', async () => {
  const { peer, get } = await boot();
  const config = (offset: number) => get(offset, 4, 7);
  expect([config(0), config(8), config(0x2c)]).toEqual([0x0c091234, 0x05800001, 0x0c091234]);
  expect([0x40, 0x50, 0x60].map((at) => config(at) & 0xff)).toEqual([0x01, 0x11, 0x10]);
  const sizes = [0, 1, 2, 3, 4, 5].map((bar) => {
    peer.write(7, 0x10 + 4 * bar, [0xff, 0xff, 0xff, 0xff]);
    return -config(0x10 + 4 * bar) >>> 0;
  });
  expect(sizes).toEqual([0x1000, 0, 0x10000, 0, 0x1000, 0]);
});

test.each([1, 2, 4, 8])('[vfio-user:149] a register takes and gives %i bytes', async (size) => {
  const { peer } = await boot();
  const value = [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88].slice(0, size);
  peer.write(0, ADDRESS, value);
  expect([...peer.read(0, ADDRESS, size).payload.slice(16)]).toEqual(value);
});

test('[vfio-user:149] a thousand posted writes end with the last', async () => {
  const { peer, get } = await boot();
  for (let i = 1; i <= 1000; i += 1) peer.write(0, SCRATCH, [...u32(i)], 0x10);
  expect(get(SCRATCH)).toBe(1000);
});

describe('memory that is shared', () => {
  test('[vfio-user:150] is fetched from and stored to without a message', async () => {
    const { peer, storage, get, copy } = await boot();
    const memory = pattern.slice();
    peer.map(IOVA, PAGE, { fds: [peer.file(memory)] });
    expect(copy(FETCH)).toHaveLength(1);
    expect(get(STATUS)).toBe(DONE);
    expect(storage.subarray(0, PAGE)).toEqual(pattern);
    storage.fill(0x5a, 0, PAGE);
    expect(copy(STORE)).toHaveLength(1);
    expect(memory).toEqual(new Uint8Array(PAGE).fill(0x5a));
  });

  test('[vfio-user:156] what the guest writes to the mapped BAR is what the device stores', async () => {
    const { peer, transport, copy } = await boot();
    const { fd } = peer.ask(5, bytes(u32(128, 0, 2, 0), u64(0, 0)));
    const mapped = transport.descriptors.get(fd!) as { bytes: Uint8Array };
    mapped.bytes.set(pattern);
    const memory = new Uint8Array(PAGE);
    peer.map(IOVA, PAGE, { fds: [peer.file(memory)] });
    copy(STORE);
    expect(memory).toEqual(pattern);
  });

  test('[vfio-user:153] is out of reach once its window is gone', async () => {
    const { peer, get, copy } = await boot();
    peer.map(IOVA, PAGE, { fds: [peer.file(pattern.slice())] });
    copy(FETCH);
    expect([get(STATUS), peer.unmap(IOVA, PAGE)]).toEqual([DONE, 0]);
    copy(FETCH);
    expect(get(STATUS)).toBe(EFAULT);
  });

  test('[vfio-user:154] of a process that died makes room for the next one, which maps the same addresses', async () => {
    const { peer, get, set, copy } = await boot();
    for (let i = 0; i < 50; i += 1)
      peer.map(IOVA + i * PAGE, PAGE, { fds: [peer.file(new Uint8Array(PAGE))] });
    // A virtual IOMMU does not know what was mapped, and unmaps powers of two.
    expect([peer.unmap(0, 2 ** 28), peer.unmap(2 ** 28, 2 ** 28)]).toEqual([0, 0]);
    expect(peer.map(IOVA, PAGE, { fds: [peer.file(pattern.slice())] })).toBe(0);
    copy(FETCH);
    expect(get(STATUS)).toBe(DONE);
    peer.write(0, ADDRESS, [...u64(IOVA + 4 * PAGE)]);
    set(COMMAND, FETCH);
    expect(get(STATUS)).toBe(EFAULT);
  });
});

test('[vfio-user:151] memory that is not shared is asked for, while the guest polls the status', async () => {
  const { peer, storage, get, copy } = await boot();
  const irqs = peer.eventfds(4);
  peer.irqs(0x24, 2, 0, 4, { fds: irqs.fds });
  peer.map(IOVA, PAGE);
  const [reply, request] = copy(FETCH);
  expect([reply?.command, request?.command, request?.view.getBigUint64(8, true)]).toEqual([
    10,
    11,
    BigInt(PAGE),
  ]);
  expect([get(STATUS), get(STATUS)]).toEqual([BUSY, BUSY]);
  const answer = bytes(u64(IOVA, PAGE), pattern);
  peer.client.send(message(11, answer, { id: request!.id, flags: 1 }));
  expect(get(STATUS)).toBe(DONE);
  expect(storage.subarray(0, PAGE)).toEqual(pattern);
  expect(irqs.files[0]!.count).toBe(1);
});

test('every vector reaches its own eventfd', async () => {
  const { peer, set } = await boot();
  const { fds, files } = peer.eventfds(4);
  peer.irqs(0x24, 2, 0, 4, { fds });
  for (const vector of [0, 1, 2, 3]) set(RAISE, vector);
  expect(files.map(({ count }) => count)).toEqual([1, 1, 1, 1]);
});
