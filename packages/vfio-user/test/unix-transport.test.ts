import { existsSync, rmSync, statSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { type System, UnixTransport, VfioUserServer } from '../src/index.js';
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

const DONTWAIT = 0x40;
const EAGAIN = 11;
const EMFILE = 24;
const path = socketPath('transport');

afterEach(() => rmSync(path, { force: true }));

describe.skipIf(system === undefined)('a UNIX socket with descriptors', () => {
  const os = system!;

  test('[vfio-user:44 vfio-user:53] clients that come and go leave no descriptor open', async () => {
    const { server, client } = await serveAt(os, path);
    os.close(client.fd);
    await gone(server);
    const before = openDescriptors();
    for (let i = 0; i < 100; i += 1) {
      const next = new SocketClient(os, os.connect(path));
      await next.ask(message(1, json('{}\0')));
      const { fd } = memfd(os, 0x1000);
      await next.ask(mapMessage(0, 0x1000), fd);
      await next.ask(message(99), fd);
      os.close(fd);
      os.close(next.fd);
      await gone(server);
    }
    expect(openDescriptors()).toBe(before);
    server.close();
  });

  test('[vfio-user:42] a client may vanish while it is sent to', async () => {
    const { server, client } = await serveAt(os, path);
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
    const { server, client, device } = await serveAt(os, path);
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
    const { server, transport, client } = await serveAt(os, path);
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
    const { server, client } = await serveAt(os, path);
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

  test('a client that can not be accepted yet is not tried all the time', async () => {
    let tries = 0;
    const short: System = {
      ...os,
      accept(fd) {
        tries += 1;
        return tries === 1 ? -EMFILE : os.accept(fd);
      },
    };
    const transport = new UnixTransport(short);
    const server = await VfioUserServer.listen({ device: new TestDevice(), transport, path });
    const client = new SocketClient(os, os.connect(path));
    for (let turns = 0; turns < 20; turns += 1)
      await new Promise((resolve) => setImmediate(resolve));
    expect(tries).toBe(1);
    expect((await client.ask(message(1, json('{}\0')))).data[8]).toBe(1);
    os.close(client.fd);
    await gone(server);
    server.close();
  });

  test('only the user who serves may connect', async () => {
    const { server } = await serveAt(os, path);
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
});
