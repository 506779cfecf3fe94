import {
  existsSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import {
  ClientMemory,
  loadSystem,
  NetTransport,
  openTransport,
  type System,
  UnixTransport,
  VfioUserServer,
} from '../src/index.js';
import { MessageHeader } from '../src/linux/message-header.js';
import { bytes, json, message, u32, u64 } from './peer.js';
import { TestDevice } from './test-device.js';

const system = await loadSystem();
const eventfd: (count: number, flags: number) => number =
  system === undefined
    ? () => -1
    : (await import('koffi')).default.load(null).func('eventfd', 'int', ['uint', 'int']);
const DONTWAIT = 0x40;
const EAGAIN = 11;

/** A client by system calls; it never blocks, since the server runs in the same thread. */
class SocketClient {
  readonly #control = new DataView(new ArrayBuffer(64));
  readonly #header: MessageHeader;
  readonly #buffer = new Uint8Array(new ArrayBuffer(1 << 16));

  constructor(
    private readonly os: System,
    readonly fd: number,
  ) {
    this.#header = new MessageHeader(os, this.#control);
    this.#header.use(this.#buffer);
  }

  send(data: Uint8Array, descriptor?: number): void {
    this.#buffer.set(data);
    this.#header.point(0, data.length);
    if (descriptor !== undefined) {
      this.#control.setUint32(0, 20, true);
      this.#control.setUint32(8, 1, true);
      this.#control.setUint32(12, 1, true);
      this.#control.setInt32(16, descriptor, true);
    }
    this.#header.setControl(descriptor === undefined ? 0 : 24);
    expect(this.os.sendmsg(this.fd, this.#header.bytes, 0)).toBe(data.length);
  }

  /** The next bytes from the server, and a descriptor that came along. */
  async receive(): Promise<{ data: Uint8Array; descriptor: number | undefined }> {
    for (;;) {
      this.#header.point(0, this.#buffer.length);
      this.#header.setControl(64);
      const got = this.os.recvmsg(this.fd, this.#header.bytes, DONTWAIT);
      if (got >= 0) {
        const descriptor =
          this.#header.controlLength > 0 ? this.#control.getInt32(16, true) : undefined;
        return { data: this.#buffer.slice(0, got), descriptor };
      }
      expect(got).toBe(-EAGAIN);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async ask(data: Uint8Array, descriptor?: number) {
    this.send(data, descriptor);
    return this.receive();
  }
}

const openDescriptors = () => readdirSync('/proc/self/fd').length;
const path = join(tmpdir(), `vfiokit-test-${process.pid}.sock`);

afterEach(() => rmSync(path, { force: true }));

describe.skipIf(system === undefined)('a UNIX socket with descriptors', () => {
  const os = system!;

  async function stage() {
    const transport = new UnixTransport(os, { spin: 0 });
    const memory = new ClientMemory();
    const device = new TestDevice();
    const shared = transport.createMemory(0x8000);
    const server = await VfioUserServer.listen({
      device,
      transport,
      path,
      memory,
      mappable: new Map([[2, shared]]),
    });
    const client = new SocketClient(os, os.connect(path));
    await client.ask(message(1, json('{"capabilities":{"max_msg_fds":8}}\0')));
    return { transport, memory, device, shared, server, client };
  }

  function memfd(size: number): { fd: number; view: Uint8Array } {
    const fd = os.memfdCreate('test', 0);
    os.ftruncate(fd, size);
    return { fd, view: os.view(os.mmap(0, size, 3, 1, fd, 0), size) };
  }

  const map = (address: number, size: number, offset = 0, flags = 3) =>
    message(2, bytes(u32(32, flags), u64(offset, address, size)));

  test('[vfio-user:106] guest memory is mapped: both sides see the same bytes', async () => {
    const { memory, server, client, transport } = await stage();
    const { fd, view } = memfd(0x4000);
    view[0x1004] = 0x77;
    expect((await client.ask(map(0x10000, 0x2000, 0x1000), fd)).data[8]).toBe(1);
    const byte = new Uint8Array(1);
    expect(memory.read(0x10004, byte)).toBe(0);
    expect(byte[0]).toBe(0x77);
    expect(memory.write(0x11fff, Uint8Array.of(0x55))).toBe(0);
    expect(view[0x2fff]).toBe(0x55);
    const lent = memory.view(0x10000, 0x2000, 'write')!;
    lent[1] = 9;
    expect(view[0x1001]).toBe(9);
    // A second window into the same file needs no second mapping.
    await client.ask(map(0x20000, 0x1000), fd);
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
    const { server, client } = await stage();
    const before = new Set(readdirSync('/proc/self/fd'));
    const pipe = os.memfdCreate('eventfd', 0);
    // A file that is read and written keeps its descriptor.
    await client.ask(map(0, 0x1000, 0, 11), pipe);
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
    const { server, client, shared } = await stage();
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
    const { device, server, client } = await stage();
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
    const { server, client } = await stage();
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
    const { fd } = memfd(0x1000);
    const before = openDescriptors();
    dropping = true;
    const { data } = await client.ask(map(0, 0x1000), fd);
    expect(new DataView(data.buffer).getUint32(12, true)).toBe(22);
    expect(openDescriptors()).toBe(before);
    os.close(fd);
    os.close(client.fd);
    await gone(server);
    server.close();
  });

  test('[vfio-user:114] what can not be mapped is ENODEV', async () => {
    const { server, client } = await stage();
    const socket = os.connect(path);
    const { data } = await client.ask(map(0, 0x1000), socket);
    expect(new DataView(data.buffer).getUint32(12, true)).toBe(19);
    os.close(socket);
    os.close(client.fd);
    await gone(server);
    server.close();
  });

  test('a window past the end of its file is read as far as the file goes', async () => {
    const { memory, server, client } = await stage();
    const { fd } = memfd(0x1000);
    expect((await client.ask(map(0, 0x4000), fd)).data[8]).toBe(1);
    expect(memory.read(0, new Uint8Array(4))).toBe(0);
    expect(memory.read(0x2000, new Uint8Array(4))).toBe(-14);
    os.close(fd);
    os.close(client.fd);
    await gone(server);
    server.close();
  });

  test('untrusted clients have their files read and written unless they are sealed', async () => {
    const transport = new UnixTransport(os, { trusted: false });
    const { fd } = memfd(0x1000);
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

  test('[vfio-user:44 vfio-user:53] clients that come and go leave no descriptor open', async () => {
    const { server, client } = await stage();
    os.close(client.fd);
    await gone(server);
    const before = openDescriptors();
    for (let i = 0; i < 100; i += 1) {
      const next = new SocketClient(os, os.connect(path));
      await next.ask(message(1, json('{}\0')));
      const { fd } = memfd(0x1000);
      await next.ask(map(0, 0x1000), fd);
      await next.ask(message(99), fd);
      os.close(fd);
      os.close(next.fd);
      await gone(server);
    }
    expect(openDescriptors()).toBe(before);
    server.close();
  });

  test('[vfio-user:42] a client may vanish while it is sent to', async () => {
    const { server, client } = await stage();
    const read = message(9, bytes(u64(0), u32(4, 2 ** 20)));
    for (let i = 0; i < 4; i += 1) client.send(read);
    // So that something of it is there before the client goes.
    await client.receive();
    os.close(client.fd);
    await gone(server);
    const next = new SocketClient(os, os.connect(path));
    const { data } = await next.ask(message(1, json('{}\0')));
    expect(data[8]).toBe(1);
    os.close(next.fd);
    await gone(server);
    server.close();
  });

  test('a large reply arrives whole', async () => {
    const { server, client, device } = await stage();
    device.regions[4]!.bytes.fill(0x3c);
    client.send(message(9, bytes(u64(0), u32(4, 2 ** 20))));
    let total = 0;
    while (total < 32 + 2 ** 20) total += (await client.receive()).data.length;
    expect(total).toBe(32 + 2 ** 20);
    os.close(client.fd);
    await gone(server);
    server.close();
  });

  test('a socket that a killed server left behind is replaced, a served one is not', async () => {
    const { server, transport, client } = await stage();
    const other = { device: new TestDevice(), transport, path };
    await expect(VfioUserServer.listen(other)).rejects.toThrow(/somebody listens there/);
    os.close(client.fd);
    await gone(server);
    server.close();
    os.close(os.listen(path, 1));
    const next = await VfioUserServer.listen(other);
    next.close();
  });

  test('a server that has no room for another client is one that listens', async () => {
    const listening = os.listen(path, 0);
    const first = os.connect(path);
    expect(os.connect(path)).toBe(-EAGAIN);
    const transport = new UnixTransport(os);
    const listen = VfioUserServer.listen({ device: new TestDevice(), transport, path });
    await expect(listen).rejects.toThrow(/somebody listens there/);
    expect(existsSync(path)).toBe(true);
    os.close(first);
    os.close(listening);
  });

  test('a server takes away its own socket, and no other that took its place', async () => {
    const { server, client } = await stage();
    rmSync(path);
    const other = os.listen(path, 1);
    os.close(client.fd);
    await gone(server);
    server.close();
    expect(existsSync(path)).toBe(true);
    os.close(other);
  });

  test('with two connections neither a receive nor a send blocks', async () => {
    const blocking = { sends: 0, receives: 0 };
    const watched: System = {
      ...os,
      send(fd, data, length, flags) {
        blocking.sends += (flags & DONTWAIT) === 0 ? 1 : 0;
        return os.send(fd, data, length, flags);
      },
      recvmsg(fd, header, flags) {
        blocking.receives += (flags & DONTWAIT) === 0 ? 1 : 0;
        return os.recvmsg(fd, header, flags);
      },
    };
    const transport = new UnixTransport(watched, { spin: 0 });
    const listen = (at: string) =>
      VfioUserServer.listen({ device: new TestDevice(), transport, path: at });
    const servers = [await listen(path), await listen(`${path}.1`)];
    const clients = [path, `${path}.1`].map((at) => new SocketClient(os, os.connect(at)));
    for (const client of clients) await client.ask(message(1, json('{}\0')));
    Object.assign(blocking, { sends: 0, receives: 0 });
    for (const client of clients) await client.ask(message(4, u32(16, 0, 0, 0)));
    expect(blocking).toEqual({ sends: 0, receives: 0 });
    os.close(clients[1]!.fd);
    await gone(servers[1]!);
    await clients[0]!.ask(message(4, u32(16, 0, 0, 0)));
    expect(blocking.sends).toBe(1);
    os.close(clients[0]!.fd);
    await gone(servers[0]!);
    for (const server of servers) server.close();
  });

  test('only the user who serves may connect', async () => {
    const { server } = await stage();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    server.close();
    expect(existsSync(path)).toBe(false);
  });

  test.each([
    ['/dev/null/socket', 'ENOTDIR', /^\/dev\/null\/socket: can't listen: ENOTDIR; /],
    ['/nowhere/socket', 'ENOENT', /make its folder first/],
    ['/tmp', 'EADDRINUSE', /is there, and no socket/],
    ['', 'EINVAL', /a path of 0 bytes/],
    [`/tmp/${'s'.repeat(103)}`, 'EINVAL', /a path of 108 bytes/],
  ])('it says why it does not listen at %s', async (wrong, code, message) => {
    const transport = new UnixTransport(os);
    const listen = VfioUserServer.listen({ device: new TestDevice(), transport, path: wrong });
    await expect(listen).rejects.toMatchObject({
      name: 'VfioError',
      code,
      message: expect.stringMatching(message),
    });
  });

  async function gone(server: VfioUserServer): Promise<void> {
    while (server.attached) await new Promise((resolve) => setImmediate(resolve));
  }
});

describe('a plain socket', () => {
  test('serves without descriptors, and says so', async () => {
    const transport = new NetTransport();
    expect(transport.description).toContain('without descriptors');
    const memory = new ClientMemory();
    const server = await VfioUserServer.listen({
      device: new TestDevice(),
      transport,
      path,
      memory,
    });
    const socket = createConnection(path);
    const received: Buffer[] = [];
    socket.on('data', (data) => received.push(Buffer.from(data)));
    socket.write(message(1, json('{"capabilities":{"max_msg_fds":8}}\0')));
    socket.write(message(9, bytes(u64(0), u32(0, 8)), { id: 5 }));
    const size = () => received.reduce((sum, part) => sum + part.length, 0);
    while (!Buffer.concat(received).includes(Buffer.from([5, 0, 9, 0, 40, 0])))
      await new Promise((resolve) => setImmediate(resolve));
    expect(Buffer.concat(received).toString('latin1')).toContain('"max_msg_fds":0');
    expect(size()).toBeGreaterThan(40);
    const ended = new Promise((resolve) => socket.once('close', resolve));
    server.close();
    socket.end();
    await ended;
  });

  test('openTransport takes the best there is', async () => {
    const transport = await openTransport();
    expect(transport.passesDescriptors).toBe(system !== undefined);
  });
});
