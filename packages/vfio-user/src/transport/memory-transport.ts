import { EPIPE, VfioError } from '@vfiokit/uapi';
import type { Channel, ChannelUser, Listener, Transport } from './channel.js';
import { MemoryDescriptors } from './descriptors.js';
import { WaitingLine } from './waiting-line.js';

/** Bytes that arrived at a client in one piece, with the descriptor that came along. */
export interface Packet {
  readonly bytes: Uint8Array;
  readonly fd: number | undefined;
}

/** A client's end of a connection in memory. Everything that it sends is handled before the call returns. */
export class MemoryClient {
  /** What the server sent, oldest first. */
  readonly packets: Packet[] = [];
  /** The server closed the connection. */
  closed = false;
  /** How many bytes the server may send before it has to wait. */
  room = Number.POSITIVE_INFINITY;
  user: ChannelUser | undefined;

  /**
   * Sends bytes, in portions that the server's buffer has room for; descriptors travel with the first byte.
   *
   * @throws VfioError EAGAIN where the server takes no more until it is rid of its replies ({@link drain}).
   */
  send(bytes: Uint8Array, fds: readonly number[] = []): void {
    for (let at = 0; at < bytes.length; ) {
      const { user } = this;
      if (user === undefined) return;
      if (user.inbox.room === 0)
        throw new VfioError('EAGAIN', 'client: the server takes no more; drain its replies first');
      const portion = bytes.subarray(at, at + user.inbox.room);
      user.inbox.bytes.set(portion, user.inbox.tail);
      user.received(portion.length, at === 0 ? fds : []);
      at += portion.length;
    }
  }

  /** Takes more: the server goes on with what it has to send. */
  drain(room = Number.POSITIVE_INFINITY): void {
    this.room = room;
    this.user?.writable();
  }

  /** The client vanishes. */
  disconnect(): void {
    const { user } = this;
    this.user = undefined;
    user?.disconnected();
  }
}

class MemoryChannel implements Channel {
  readonly passesDescriptors = true;

  constructor(private readonly client: MemoryClient) {}

  send(start: number, end: number, fd?: number): number {
    const { client } = this;
    const { user } = client;
    if (user === undefined) return -EPIPE;
    const length = Math.min(end - start, client.room);
    client.room -= length;
    if (length > 0) client.packets.push({ bytes: user.outbox.slice(start, start + length), fd });
    return length;
  }

  close(): void {
    this.client.closed = true;
    this.client.user = undefined;
  }
}

/** Connections in memory: the protocol without a system below it, for tests and for clients in the same process. */
export class MemoryTransport implements Transport {
  readonly description = 'in memory';
  readonly passesDescriptors = true;
  readonly descriptors = new MemoryDescriptors();
  readonly #listeners = new Map<string, MemoryListener>();

  listen(path: string, accept: (channel: Channel) => ChannelUser): Listener {
    if (this.#listeners.has(path))
      throw new VfioError('EADDRINUSE', `${path}: somebody listens there already`);
    const listener = new MemoryListener(accept, () => this.#listeners.delete(path));
    this.#listeners.set(path, listener);
    return listener;
  }

  /** Connects to a path; the client waits while another one is served. */
  connect(path: string): MemoryClient {
    const listener = this.#listeners.get(path);
    if (listener === undefined)
      throw new VfioError('ENOENT', `${path}: nobody listens there; start the server first`);
    const client = new MemoryClient();
    listener.arrive(client);
    return client;
  }
}

class MemoryListener extends WaitingLine<MemoryClient> implements Listener {
  constructor(
    accept: (channel: Channel) => ChannelUser,
    private readonly closed: () => void,
  ) {
    super((client) => {
      client.user = accept(new MemoryChannel(client));
    });
  }

  [Symbol.dispose](): void {
    this.closed();
  }
}
