// What the guest of `npm run e2e` does with the copier, and more that QEMU does, by a client that sends what QEMU sends for it;
// without QEMU, so that it is part of every test run.
import { openFunction } from '@vfiokit/core';
import { openCopier, REGISTERS } from '@vfiokit/example-served-device';
import { PciTopology } from '@vfiokit/pci';
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

describe('interrupts', () => {
  const INTX = 0;
  const MSIX = 2;
  const ENABLE = 0x24;
  const DISABLE = 0x21;
  const UNMASK = 0x11;

  /** A function with an interrupt pin, whose line is the test's. */
  async function bootWithPin() {
    const config = new Uint8Array(256);
    config.set([0x34, 0x12, 0x0c, 0x09]);
    config.set([11, 1], 0x3c);
    const pdev = new PciTopology().add('0000:00:03.0', { config, configSize: 256, bars: [] });
    const { device, process } = openFunction(pdev);
    const transport = new MemoryTransport();
    servers.push(await VfioUserServer.listen({ device, process, transport, path: 'pin' }));
    const peer = new Peer(transport.connect('pin'), transport);
    peer.hello();
    return { peer, line: pdev.function.intx };
  }

  test('[vfio-user:152] the line fires once each time, three times, and QEMU unmasks it when the guest was served', async () => {
    const { peer, line } = await bootWithPin();
    const { fds, files } = peer.eventfds(1);
    expect(peer.irqs(ENABLE, INTX, 0, 1, { fds })).toBe(0);
    for (const times of [1, 2, 3]) {
      line.assert();
      expect(files[0]!.count).toBe(times);
      // It is masked, and the status bit shows it, until the guest has served it.
      expect(peer.read(7, 6, 1).payload[16]! & 8).toBe(8);
      line.deassert();
      expect(peer.irqs(UNMASK, INTX, 0, 1)).toBe(0);
      expect([files[0]!.count, peer.read(7, 6, 1).payload[16]! & 8]).toEqual([times, 0]);
    }
    expect(peer.irqs(DISABLE, INTX, 0, 0)).toBe(0);
    line.assert();
    expect(files[0]!.count).toBe(3);
  });

  test('[vfio-user:152] every vector fires when QEMU adds one after the other, which it may', async () => {
    const { peer, set } = await boot();
    const { view } = peer.ask(7, u32(16, 0, MSIX, 0));
    expect([view.getUint32(4, true) & 8, view.getUint32(12, true)]).toEqual([0, 4]);
    expect(peer.irqs(ENABLE, MSIX, 0, 1)).toBe(0);
    const counters = [0, 1, 2, 3].map((vector) => {
      const { fds, files } = peer.eventfds(1);
      expect(peer.irqs(ENABLE, MSIX, vector, 1, { fds })).toBe(0);
      return files[0]!;
    });
    for (const vector of [0, 1, 2, 3]) {
      set(RAISE, vector);
      expect(counters.map(({ count }) => count)).toEqual([0, 1, 2, 3].map((i) => +(i <= vector)));
    }
  });

  test('[vfio-user:152] and when it takes all down and sends them again for each new one', async () => {
    const { peer, set } = await boot();
    for (const last of [0, 1, 2, 3]) {
      expect(peer.irqs(DISABLE, MSIX, 0, 0)).toBe(0);
      const { fds, files } = peer.eventfds(last + 1);
      expect(peer.irqs(ENABLE, MSIX, 0, last + 1, { fds })).toBe(0);
      for (let vector = 0; vector <= last; vector += 1) set(RAISE, vector);
      expect(files.map(({ count }) => count)).toEqual(fds.map(() => 1));
    }
  });
});

describe('the life of a machine', () => {
  const QEMU_HELLO =
    '{"capabilities":{"pgsizes":4096,"max_msg_fds":16,"max_dma_maps":65535,"max_data_xfer_size":1048576,"migration":{"pgsize":4096,"max_bitmap_size":268435456},"write_multiple":true}}\0';
  const ERR = 3;

  /** What QEMU sends when the device is plugged in: memory before any question about the device. */
  function plug(transport: MemoryTransport, memory: Uint8Array): Peer {
    const peer = new Peer(transport.connect('copier'), transport);
    expect(peer.hello(QEMU_HELLO, 0).error).toBe(0);
    expect(peer.map(IOVA, PAGE, { fds: [peer.file(memory)] })).toBe(0);
    expect(peer.ask(4, u32(16, 0, 0, 0)).view.getUint32(4, true)).toBe(3);
    for (const index of [0, 1, 2, 3, 4, 5, 7]) {
      const ask = (argsz: number) => peer.ask(5, bytes(u32(argsz, 0, index, 0), u64(0, 0)));
      const argsz = ask(32).view.getUint32(0, true);
      if (argsz > 32) expect(ask(argsz).error).toBe(0);
    }
    expect(peer.errno(7, u32(16, 0, ERR, 0))).toBe(0);
    expect(peer.read(7, 0, 4096).payload).toHaveLength(16 + 4096);
    expect(peer.irqs(0x24, ERR, 0, 1, { fds: peer.eventfds(1).fds })).toBe(0);
    reset(peer);
    return peer;
  }

  /** What it sends when the machine is reset, or its guest reboots. */
  function reset(peer: Peer): void {
    expect(peer.irqs(0x21, 2, 0, 0)).toBe(0);
    peer.write(7, 4, [0, 0]);
    expect(peer.errno(13)).toBe(0);
    for (let bar = 0; bar < 6; bar += 1) peer.write(7, 0x10 + 4 * bar, [0, 0, 0, 0]);
  }

  /** What it sends when the device is unplugged. */
  function unplug(peer: Peer): void {
    expect(peer.irqs(0x24, ERR, 0, 1)).toBe(0);
    expect(peer.irqs(0x21, 2, 0, 0)).toBe(0);
    expect(peer.unmap(IOVA, PAGE)).toBe(0);
    peer.client.disconnect();
  }

  /** What a guest does with a device that is as new. */
  function drive(peer: Peer, storage: Uint8Array): void {
    const get = (offset: number) => peer.read(0, offset, 4).view.getUint32(16, true);
    const set = (offset: number, value: number) => peer.write(0, offset, [...u32(value)]);
    peer.write(7, 4, [6, 0]);
    expect([get(0), get(SCRATCH), get(STATUS)]).toEqual([0x54494b56, 0, 0]);
    set(SCRATCH, 0x5ca1ab1e);
    const { fds, files } = peer.eventfds(1);
    expect(peer.irqs(0x24, 2, 0, 1, { fds })).toBe(0);
    storage.fill(0);
    peer.write(0, ADDRESS, [...u64(IOVA)]);
    set(LENGTH, PAGE);
    set(COMMAND, FETCH);
    expect([get(STATUS), files[0]!.count]).toEqual([DONE, 1]);
    expect(storage.subarray(0, PAGE)).toEqual(pattern);
  }

  test('[vfio-user:155] after resets of the machine, a reboot and a new plug the device is as new, and nothing is left behind', async () => {
    const { peer: first, transport, storage } = await boot();
    first.client.disconnect();
    const before = transport.descriptors.size;
    let peer = plug(transport, pattern.slice());
    drive(peer, storage);
    for (const _what of ['a reset of the machine', 'another', 'a reboot by the guest']) {
      reset(peer);
      drive(peer, storage);
    }
    unplug(peer);
    expect(transport.descriptors.size).toBe(before);
    peer = plug(transport, pattern.slice());
    drive(peer, storage);
    peer.client.disconnect();
    expect(transport.descriptors.size).toBe(before);
  });
});
