import {
  DeviceClient,
  EINVAL,
  type Process,
  VFIO_DEVICE_FEATURE_GET,
  VFIO_DEVICE_FEATURE_MIGRATION,
  type VfioDevice,
} from '@vfiokit/uapi';
import type { ClientMemory } from '../dma/client-memory.js';
import { REGION_READ, REGION_WRITE, REGION_WRITE_MULTI, VERSION } from '../protocol/commands.js';
import {
  ACCESS_SIZE,
  FLAG_NO_REPLY,
  HEADER_COMMAND,
  HEADER_FLAGS,
  HEADER_ID,
  HEADER_MESSAGE_SIZE,
  HEADER_SIZE,
  putHeader,
  TYPE_COMMAND,
  TYPE_MASK,
  TYPE_REPLY,
} from '../protocol/header.js';
import { type Limits, negotiate } from '../protocol/version.js';
import type { Trace } from '../trace.js';
import { type Channel, type ChannelUser, LOST_FD } from '../transport/channel.js';
import type { Descriptors } from '../transport/descriptors.js';
import { Inbox } from '../transport/inbox.js';
import type { UnmapMode } from './dma-commands.js';
import { DmaRequests } from './dma-requests.js';
import { type Client, Handlers } from './handlers.js';
import type { MigrationProgress } from './migration.js';
import { Outbox } from './outbox.js';
import { RegionAccess } from './region-access.js';
import type { ServedRegion } from './regions.js';
import type { Reply } from './reply.js';

/** Descriptors that may wait for the rest of their message: as many as the kernel passes with one, and some. */
const MOST_FDS_WAITING = 256;

/** What a session is about. */
export interface Served {
  readonly device: VfioDevice;
  /** The device's user as the kernel would see it. */
  readonly process: Process;
  readonly client: DeviceClient;
  readonly regions: readonly ServedRegion[];
  readonly memory: ClientMemory;
  readonly descriptors: Descriptors;
  readonly limits: Limits;
  readonly unmap: UnmapMode;
  readonly trace: Trace | undefined;
  /** Told of what a device threw. */
  readonly failed: (error: unknown) => void;
  readonly migrating: (progress: MigrationProgress) => void;
  /** The connection is over and everything that the client had is gone. */
  readonly ended: () => void;
}

/** One connection, from its first message to its end: the protocol's state machine. */
export class Session implements ChannelUser {
  readonly inbox: Inbox;
  readonly #outbox: Outbox;
  readonly #channel: Channel;
  readonly #access: RegionAccess;
  readonly #requests: DmaRequests;
  readonly #handlers: Handlers;
  /** What the client accepts; known once it has said so. */
  #client: Client | undefined;
  #running = false;
  #ended = false;

  constructor(
    private readonly served: Served,
    channel: Channel,
  ) {
    const { device, limits, regions } = served;
    const largest = HEADER_SIZE + ACCESS_SIZE + limits.maxDataXfer;
    this.#channel = channel;
    this.inbox = new Inbox(largest);
    this.#outbox = new Outbox(largest, channel, served.trace);
    this.#access = new RegionAccess(
      device,
      regions,
      this.inbox,
      this.#outbox,
      limits.maxDataXfer,
      served.failed,
    );
    this.#requests = new DmaRequests(served.memory, this.#outbox, served.failed, () => this.#run());
    this.#handlers = new Handlers(served, this.inbox, () => this.#client!);
  }

  get outbox(): Uint8Array {
    return this.#outbox.bytes;
  }

  get paused(): boolean {
    return this.#outbox.blocked;
  }

  received(length: number, fds: readonly number[]): void {
    this.inbox.received(length, fds);
    this.#run();
    // A message that never ends could take every descriptor that the process may have.
    if (this.inbox.held > MOST_FDS_WAITING) this.close();
  }

  writable(): void {
    if (!this.#outbox.flush()) this.#end();
    else if (!this.#outbox.blocked) this.#run();
  }

  disconnected(): void {
    this.#end();
  }

  /** Ends the connection from this side. */
  close(): void {
    if (this.#ended) return;
    this.#channel.close();
    this.#end();
  }

  /** Handles what has arrived, in order, and sends what there is to say. */
  #run(): void {
    if (this.#running || this.#ended) return;
    this.#running = true;
    while (!this.#outbox.blocked && !this.#ended) {
      const at = this.inbox.next();
      if (at < 0) break;
      const size = this.inbox.view.getUint32(at + HEADER_MESSAGE_SIZE, true);
      if (size < HEADER_SIZE || size > this.inbox.largest) {
        // Behind a size that can't be, nobody knows where the next message starts.
        this.#refuse(at);
        break;
      }
      this.#message(at, size);
      this.inbox.consume(size);
      this.#requests.send();
    }
    this.#requests.send();
    this.#running = false;
    if (!this.#ended && !this.#outbox.flush()) this.#end();
  }

  #message(at: number, size: number): void {
    const { view } = this.inbox;
    const fds = this.inbox.takeFds(size);
    this.served.trace?.('received', this.inbox.bytes.subarray(at, at + size), fds.length);
    if ((view.getUint32(at + HEADER_FLAGS, true) & TYPE_MASK) !== TYPE_COMMAND)
      this.#other(at, size);
    else if (fds.length > 0 && fds.includes(LOST_FD)) this.#reply(at, -EINVAL);
    else if (this.#client === undefined) this.#version(at, size);
    else
      switch (view.getUint16(at + HEADER_COMMAND, true)) {
        case REGION_READ:
          this.#access.read(at, size);
          break;
        case REGION_WRITE:
          this.#access.write(at, size);
          break;
        case REGION_WRITE_MULTI:
          this.#access.writeMulti(at, size);
          break;
        default:
          this.#command(at, size, fds);
      }
    if (fds.length > 0) this.#discard(fds);
  }

  #discard(fds: readonly number[]): void {
    for (const fd of fds) if (fd !== LOST_FD) this.served.descriptors.close(fd);
  }

  /** A command for which there is time. What it takes over is removed from `fds`. */
  #command(at: number, size: number, fds: number[]): void {
    const { view } = this.inbox;
    const reply = this.#handlers.run(view.getUint16(at + HEADER_COMMAND, true), at, size, fds);
    this.#reply(at, reply);
  }

  /** The first message settles what both sides accept, or there is no connection. */
  #version(at: number, size: number): void {
    const { limits, memory, client } = this.served;
    const { view, bytes } = this.inbox;
    const migration = client.probeFeature(VFIO_DEVICE_FEATURE_MIGRATION, VFIO_DEVICE_FEATURE_GET);
    const offer = { ...limits, maxDmaMaps: memory.maxDmaMaps, migration };
    const command = view.getUint16(at + HEADER_COMMAND, true);
    const payload = bytes.subarray(at + HEADER_SIZE, at + size);
    const outcome = command === VERSION ? negotiate(payload, offer) : -EINVAL;
    if (typeof outcome === 'number') {
      this.#refuse(at);
      return;
    }
    const passesFds = this.#channel.passesDescriptors && outcome.client.maxMsgFds > 0;
    this.#client = { ...outcome.client, passesFds };
    this.#requests.open(Math.min(outcome.client.maxDataXfer, limits.maxDataXfer));
    this.#reply(at, outcome.reply);
  }

  /**
   * Answers a command, unless no reply is wanted.
   *
   * @param at where it starts.
   */
  #reply(at: number, reply: Reply): void {
    const { view, bytes } = this.inbox;
    if ((view.getUint32(at + HEADER_FLAGS, true) & FLAG_NO_REPLY) !== 0) return;
    const id = view.getUint16(at + HEADER_ID, true);
    const command = view.getUint16(at + HEADER_COMMAND, true);
    if (typeof reply !== 'number') {
      if (reply instanceof Uint8Array) this.#complete(id, command, reply);
      else this.#complete(id, command, reply.payload, reply.fd);
      return;
    }
    if (reply < 0) {
      this.#outbox.error(id, command, -reply);
      return;
    }
    const to = this.#outbox.open(HEADER_SIZE + reply);
    const out = this.#outbox;
    putHeader(out.view, to, id, command, HEADER_SIZE + reply, TYPE_REPLY);
    for (let i = HEADER_SIZE; i < HEADER_SIZE + reply; i += 1) out.bytes[to + i] = bytes[at + i]!;
    out.close(HEADER_SIZE + reply);
  }

  #complete(id: number, command: number, payload: Uint8Array, fd?: number): void {
    const size = HEADER_SIZE + payload.length;
    const to = this.#outbox.open(size);
    putHeader(this.#outbox.view, to, id, command, size, TYPE_REPLY);
    this.#outbox.bytes.set(payload, to + HEADER_SIZE);
    if (fd === undefined) this.#outbox.close(size);
    else this.#outbox.closeWith(fd, size);
  }

  /** What is no command: the answer to a request of ours, or a fault. */
  #other(at: number, size: number): void {
    const { view } = this.inbox;
    const type = view.getUint32(at + HEADER_FLAGS, true) & TYPE_MASK;
    if (type === TYPE_REPLY && this.#requests.awaiting) this.#answered(at, size);
    else if (this.#client === undefined) this.#refuse(at);
    else this.#error(at);
  }

  /** What the device does with the data is the device's, and so are its mistakes. */
  #answered(at: number, size: number): void {
    try {
      this.#requests.answered(this.inbox, at, size);
    } catch (error) {
      this.served.failed(error);
    }
  }

  #error(at: number): void {
    const { view } = this.inbox;
    const id = view.getUint16(at + HEADER_ID, true);
    this.#outbox.error(id, view.getUint16(at + HEADER_COMMAND, true), EINVAL);
  }

  /** Answers a message after which there is no going on. */
  #refuse(at: number): void {
    this.#error(at);
    this.#outbox.flush();
    this.close();
  }

  /** Nothing of the client is left behind: DMA, windows, descriptors, interrupts, the device's state. */
  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const { memory, ended } = this.served;
    this.#outbox.clear();
    this.#requests.close();
    memory.detach();
    this.#discard(this.inbox.clear());
    // Before the negotiation no command is run; one who only knocked has left nothing behind.
    if (this.#client !== undefined) this.#handlers.close();
    ended();
  }
}
