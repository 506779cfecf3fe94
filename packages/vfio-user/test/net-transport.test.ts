import { rmSync, statSync } from 'node:fs';
import { createConnection } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { ClientMemory, NetTransport, openTransport, VfioUserServer } from '../src/index.js';
import { bytes, json, message, u32, u64 } from './peer.js';
import { socketPath, system } from './socket-client.js';
import { TestDevice } from './test-device.js';

const path = socketPath('net');

afterEach(() => rmSync(path, { force: true }));

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

  test('is for the user who serves alone, and says why it can not be', async () => {
    const transport = new NetTransport();
    const options = { device: new TestDevice(), transport, path };
    const server = await VfioUserServer.listen(options);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await expect(VfioUserServer.listen(options)).rejects.toMatchObject({
      code: 'EADDRINUSE',
      message: expect.stringContaining(`${path}: can't listen: EADDRINUSE; choose another path`),
    });
    server.close();
  });

  test('openTransport takes the best there is', async () => {
    const transport = await openTransport();
    expect(transport.passesDescriptors).toBe(system !== undefined);
  });
});
