import { createServer, type Server, type Socket } from 'node:net';
import { EIO, EPIPE, VfioError } from '@vfiokit/uapi';
import type { Channel, ChannelUser, Listener, Transport } from './channel.js';
import { NO_DESCRIPTORS } from './descriptors.js';
import { WaitingLine } from './waiting-line.js';

/** More than this waits in no socket: the sender is told to wait. */
const MOST_WAITING = 4 << 20;

/**
 * Node's own UNIX sockets: anywhere, without koffi, and without descriptors. Clients see that none are accepted: DMA takes
 * messages, nothing of the device can be mapped, and interrupts by eventfd can't be bound, which QEMU insists on.
 */
export class NetTransport implements Transport {
  readonly description =
    'plain UNIX socket without descriptors: no interrupts by eventfd, DMA by messages only';
  readonly passesDescriptors = false;
  readonly descriptors = NO_DESCRIPTORS;

  listen(path: string, accept: (channel: Channel) => ChannelUser): Promise<Listener> {
    const listener = new NetListener(accept);
    return listener.listen(path);
  }
}

class NetChannel implements Channel {
  readonly passesDescriptors = false;
  #user: ChannelUser | undefined;

  constructor(private readonly socket: Socket) {}

  start(user: ChannelUser): void {
    this.#user = user;
    this.socket.on('data', (bytes) => this.#received(bytes));
    this.socket.on('drain', () => {
      this.#user?.writable();
      if (this.#user?.paused === false) this.socket.resume();
    });
    this.socket.on('error', () => this.socket.destroy());
    this.socket.on('close', () => {
      this.#user?.disconnected();
      this.#user = undefined;
    });
  }

  send(start: number, end: number): number {
    const user = this.#user;
    if (user === undefined) return this.socket.destroyed ? -EPIPE : 0;
    if (this.socket.destroyed) return -EPIPE;
    if (this.socket.writableLength > MOST_WAITING) return 0;
    this.socket.write(user.outbox.slice(start, end));
    return end - start;
  }

  close(): void {
    this.#user = undefined;
    this.socket.destroySoon();
  }

  #received(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const user = this.#user;
      if (user === undefined) return;
      if (user.paused) {
        this.socket.pause();
        this.socket.unshift(bytes.subarray(at));
        return;
      }
      const portion = bytes.subarray(at, at + user.inbox.room);
      user.inbox.bytes.set(portion, user.inbox.tail);
      user.received(portion.length, []);
      at += portion.length;
    }
    if (this.#user?.paused === true) this.socket.pause();
  }
}

class NetListener implements Listener {
  readonly #server: Server;
  readonly #line: WaitingLine<Socket>;

  constructor(accept: (channel: Channel) => ChannelUser) {
    this.#line = new WaitingLine((socket) => {
      const channel = new NetChannel(socket);
      channel.start(accept(channel));
      socket.resume();
    });
    this.#server = createServer({ pauseOnConnect: true }, (socket) => this.#line.arrive(socket));
  }

  listen(path: string): Promise<Listener> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', (cause: NodeJS.ErrnoException) => {
        const help = 'choose another path, or remove what a server that is gone has left there';
        const message = `${path}: can't listen: ${cause.code}; ${help}`;
        reject(VfioError.fromErrno(cause.errno ?? -EIO, message, { cause }));
      });
      // Only the user who serves may connect.
      const umask = process.umask(0o177);
      this.#server.listen(path, () => resolve(this));
      process.umask(umask);
    });
  }

  pause(): void {
    this.#line.pause();
  }

  resume(): void {
    this.#line.resume();
  }

  [Symbol.dispose](): void {
    this.#server.close();
    for (const socket of this.#line.clear()) socket.destroy();
  }
}
