import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import {
  ClientMemory,
  loadSystem,
  type System,
  UnixTransport,
  VfioUserServer,
} from '../src/index.js';
import { MessageHeader } from '../src/linux/message-header.js';
import { bytes, json, message, u32, u64 } from './peer.js';
import { TestDevice } from './test-device.js';

/** The system calls; `undefined` where there are none to be had. */
export const system = await loadSystem();

const DONTWAIT = 0x40;
const EAGAIN = 11;

/** A client by system calls; it never blocks, since the server runs in the same thread. */
export class SocketClient {
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

export const openDescriptors = (): number => readdirSync('/proc/self/fd').length;

/** Where a test's socket is. */
export const socketPath = (name: string): string =>
  join(tmpdir(), `vfiokit-${name}-${process.pid}.sock`);

/** Waits until a server has noticed that its client is gone. */
export async function gone(server: VfioUserServer): Promise<void> {
  while (server.attached) await new Promise((resolve) => setImmediate(resolve));
}

/** A file in memory: its descriptor and its bytes. */
export function memfd(os: System, size: number): { fd: number; view: Uint8Array } {
  const fd = os.memfdCreate('test', 0);
  os.ftruncate(fd, size);
  return { fd, view: os.view(os.mmap(0, size, 3, 1, fd, 0), size) };
}

/** DMA_MAP */
export const mapMessage = (address: number, size: number, offset = 0, flags = 3): Uint8Array =>
  message(2, bytes(u32(32, flags), u64(offset, address, size)));

/** A server of the device under test, and a client after VERSION. */
export async function serveAt(os: System, path: string) {
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
