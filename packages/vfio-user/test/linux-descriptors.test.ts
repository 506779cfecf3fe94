import { readdirSync, readFileSync, readSync, rmSync, writeSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { type System, UnixTransport, VfioUserServer } from '../src/index.js';
import { collectGarbage } from './garbage.js';
import { bytes, json, message, u32, u64 } from './peer.js';
import {
  gone,
  mapMessage,
  memfd,
  openDescriptors,
  SocketClient,
  serveAt,
  socketPath,
  system,
} from './socket-client.js';
import { TestDevice } from './test-device.js';

const eventfd: (count: number, flags: number) => number =
  system === undefined
    ? () => -1
    : (await import('koffi')).default.load(null).func('eventfd', 'int', ['uint', 'int']);
const path = socketPath('descriptors');

afterEach(() => rmSync(path, { force: true }));

describe.skipIf(system === undefined)('descriptors of the running system', () => {
  const os = system!;

  test('[vfio-user:106] guest memory is mapped: both sides see the same bytes', async () => {
    const { memory, server, client, transport } = await serveAt(os, path);
    const { fd, view } = memfd(os, 0x4000);
    view[0x1004] = 0x77;
    expect((await client.ask(mapMessage(0x10000, 0x2000, 0x1000), fd)).data[8]).toBe(1);
    const byte = new Uint8Array(1);
    expect(memory.read(0x10004, byte)).toBe(0);
    expect(byte[0]).toBe(0x77);
    expect(memory.write(0x11fff, Uint8Array.of(0x55))).toBe(0);
    expect(view[0x2fff]).toBe(0x55);
    const lent = memory.view(0x10000, 0x2000, 'write')!;
    lent[1] = 9;
    expect(view[0x1001]).toBe(9);
    // A second window into the same file needs no second mapping.
    await client.ask(mapMessage(0x20000, 0x1000), fd);
    expect(transport.descriptors.mapped).toBe(1);
    os.close(client.fd);
    await gone(server);
    expect(transport.descriptors.mapped).toBe(0);
    // A late access to lent memory is harmless, and not the client's memory any more.
    lent[1] = 1;
    expect([lent[0], view[0x1001]]).toEqual([0, 9]);
    os.close(fd);
    server.close();
  });

  test('[vfio-user:54] received descriptors are closed on exec', async () => {
    const { server, client } = await serveAt(os, path);
    const before = new Set(readdirSync('/proc/self/fd'));
    const pipe = os.memfdCreate('eventfd', 0);
    // A file that is read and written keeps its descriptor.
    await client.ask(mapMessage(0, 0x1000, 0, 11), pipe);
    const kept = readdirSync('/proc/self/fd').filter(
      (fd) => !before.has(fd) && Number(fd) !== pipe,
    );
    const flags = kept.map((fd) => {
      try {
        return /flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1];
      } catch {
        return undefined;
      }
    });
    expect(flags.filter(Boolean).map((text) => Number.parseInt(text!, 8) & 0o2000000)).toEqual([
      0o2000000,
    ]);
    os.close(pipe);
    os.close(client.fd);
    await gone(server);
    server.close();
  });

  test('[vfio-user:63] the descriptor of a region shows what messages read', async () => {
    const { server, client, shared } = await serveAt(os, path);
    const info = message(5, bytes(u32(128, 0, 2, 0), u64(0, 0)));
    const { descriptor } = await client.ask(info);
    const mapped = os.view(os.mmap(0, 0x8000, 3, 1, descriptor!, 0), 0x8000);
    shared.bytes[0x2010] = 0x42;
    expect(mapped[0x2010]).toBe(0x42);
    os.close(descriptor!);
    os.close(client.fd);
    await gone(server);
    server.close();
  });

  test('[vfio-user:90] an interrupt writes 1 to its eventfd', async () => {
    const { device, server, client } = await serveAt(os, path);
    const fd = eventfd(0, 0);
    await client.ask(message(8, u32(20, 0x24, 2, 3, 1)), fd);
    device.raise(2, 3);
    const counter = new BigUint64Array(1);
    expect(readSync(fd, counter)).toBe(8);
    expect(counter[0]).toBe(1n);
    os.close(fd);
    os.close(client.fd);
    await gone(server);
    server.close();
  });

  test.each([
    ['a file', () => os.memfdCreate('file', 0)],
    ['a socket', () => os.connect(path)],
  ])('what is no eventfd is not bound to an interrupt: %s', async (_, open) => {
    const { server, client } = await serveAt(os, path);
    const fd = open();
    const { data } = await client.ask(message(8, u32(20, 0x24, 2, 3, 1)), fd);
    expect(new DataView(data.buffer).getUint32(12, true)).toBe(22);
    os.close(fd);
    os.close(client.fd);
    await gone(server);
    server.close();
  });

  test('an untrusted client does not block the server by an eventfd that is full', () => {
    const { descriptors } = new UnixTransport(os, { trusted: false });
    const fd = eventfd(0, 0);
    const most = 2n ** 64n - 2n;
    writeSync(fd, BigUint64Array.of(most - 1n));
    descriptors.signal(fd);
    descriptors.signal(fd);
    const counter = new BigUint64Array(1);
    readSync(fd, counter);
    expect(counter[0]).toBe(most);
    os.close(fd);
  });

  test.each([
    ['some of them', 24],
    ['all of them', 0],
  ])('a message is refused whose descriptors the kernel had to drop, %s', async (_, control) => {
    let dropping = false;
    const short: System = {
      ...os,
      recvmsg(fd, header, flags) {
        const got = os.recvmsg(fd, header, flags);
        const view = new DataView(header.buffer);
        if (got > 0 && dropping && view.getUint32(40, true) > 0) {
          const received = os.view(Number(view.getBigUint64(32, true)), 24);
          if (control === 0)
            os.close(new DataView(received.buffer, received.byteOffset).getInt32(16, true));
          view.setUint32(40, control, true);
          view.setUint32(48, 8, true);
        }
        return got;
      },
    };
    const transport = new UnixTransport(short, { spin: 0 });
    const device = new TestDevice();
    const server = await VfioUserServer.listen({ device, transport, path });
    const client = new SocketClient(os, os.connect(path));
    await client.ask(message(1, json('{}\0')));
    const { fd } = memfd(os, 0x1000);
    const before = openDescriptors();
    dropping = true;
    const { data } = await client.ask(mapMessage(0, 0x1000), fd);
    expect(new DataView(data.buffer).getUint32(12, true)).toBe(22);
    expect(openDescriptors()).toBe(before);
    os.close(fd);
    os.close(client.fd);
    await gone(server);
    server.close();
  });

  test('[vfio-user:114] what can not be mapped is ENODEV', async () => {
    const { server, client } = await serveAt(os, path);
    const socket = os.connect(path);
    const { data } = await client.ask(mapMessage(0, 0x1000), socket);
    expect(new DataView(data.buffer).getUint32(12, true)).toBe(19);
    os.close(socket);
    os.close(client.fd);
    await gone(server);
    server.close();
  });

  test('a window past the end of its file is read as far as the file goes', async () => {
    const { memory, server, client } = await serveAt(os, path);
    const { fd } = memfd(os, 0x1000);
    expect((await client.ask(mapMessage(0, 0x4000), fd)).data[8]).toBe(1);
    expect(memory.read(0, new Uint8Array(4))).toBe(0);
    expect(memory.read(0x2000, new Uint8Array(4))).toBe(-14);
    os.close(fd);
    os.close(client.fd);
    await gone(server);
    server.close();
  });

  test('memory that was lent is unmapped once nobody can reach it', async () => {
    const unmapped: number[] = [];
    const watched: System = {
      ...os,
      munmap(address, length) {
        unmapped.push(length);
        return os.munmap(address, length);
      },
    };
    const { descriptors } = new UnixTransport(watched);
    const lend = () => {
      const { fd } = memfd(os, 0x3000);
      const window = { offset: 0, size: 0x3000, writable: true, map: true };
      const file = descriptors.open(fd, window);
      if (typeof file === 'number') throw new Error(String(file));
      file.view(0, 4)!.fill(1);
      file.release();
    };
    lend();
    expect(unmapped).toEqual([]);
    while (unmapped.length === 0) {
      collectGarbage();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(unmapped).toEqual([0x3000]);
    expect(descriptors.mapped).toBe(0);
  });

  test('untrusted clients have their files read and written unless they are sealed', async () => {
    const transport = new UnixTransport(os, { trusted: false });
    const { fd } = memfd(os, 0x1000);
    const window = { offset: 0, size: 0x1000, writable: true, map: true };
    const file = transport.descriptors.open(fd, window);
    if (typeof file === 'number') throw new Error(String(file));
    expect(transport.descriptors.mapped).toBe(0);
    expect(file.write(4, Uint8Array.of(1, 2))).toBe(0);
    const back = new Uint8Array(2);
    expect(file.read(4, back)).toBe(0);
    expect([...back]).toEqual([1, 2]);
    expect(file.view(0, 4)).toBeUndefined();
    file.release();
  });
});
