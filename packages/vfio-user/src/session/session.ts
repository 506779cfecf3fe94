import {
  DeviceClient,
  EINVAL,
  type Process,
  VFIO_DEVICE_FEATURE_GET,
  VFIO_DEVICE_FEATURE_MIGRATION,
  VFIO_DEVICE_FLAGS_PCI,
  VFIO_DEVICE_FLAGS_RESET,
  VFIO_PCI_NUM_IRQS,
  type VfioDevice,
  VfioError,
  vfioDeviceInfo,
} from '@vfiokit/uapi';
import type { ClientMemory } from '../dma/client-memory.js';
import {
  COMMANDS,
  REGION_READ,
  REGION_WRITE,
  REGION_WRITE_MULTI,
  VERSION,
} from '../protocol/commands.js';
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
import type { Channel, ChannelUser } from '../transport/channel.js';
import type { Descriptors } from '../transport/descriptors.js';
import { Inbox } from '../transport/inbox.js';
import { DmaCommands, type UnmapMode } from './dma-commands.js';
import { DmaRequests } from './dma-requests.js';
import { Features } from './features.js';
import { Interrupts } from './interrupts.js';
import { Migration, type MigrationProgress } from './migration.js';
import { Outbox } from './outbox.js';
import { RegionAccess } from './region-access.js';
import { regionInfo, regionIoDescriptors, type ServedRegion } from './regions.js';
import { errnoOf, type Reply } from './reply.js';

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

const NOTHING = new Uint8Array(0);

type Handler = (payload: Uint8Array, fds: number[]) => Reply;

/** One connection, from its first message to its end: the protocol's state machine. */
export class Session implements ChannelUser {
  readonly inbox: Inbox;
  readonly #outbox: Outbox;
  readonly #channel: Channel;
  readonly #access: RegionAccess;
  /** Owns the eventfds that the device is given, for as long as the session lasts. */
  readonly #irqs: DeviceClient;
  readonly #interrupts: Interrupts;
  readonly #migration: Migration;
  readonly #requests: DmaRequests;
  readonly #handlers: ReadonlyMap<number, Handler>;
  /** What the client accepts; known once it has said so. */
  #client: Limits | undefined;
  #running = false;
  #ended = false;

  constructor(
    private readonly served: Served,
    channel: Channel,
  ) {
    const { device, process, memory, descriptors, limits, regions } = served;
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
    this.#irqs = new DeviceClient(device, process);
    this.#interrupts = new Interrupts(this.#irqs, descriptors);
    this.#migration = new Migration(device, process, served.migrating);
    this.#requests = new DmaRequests(memory, this.#outbox, () => this.#run());
    const dma = new DmaCommands(memory, descriptors, served.unmap, limits.maxDataXfer);
    const features = new Features(device, process, memory, this.#migration, limits.maxDataXfer);
    this.#handlers = new Map<number, Handler>([
      [VERSION, () => -EINVAL],
      [COMMANDS.DMA_MAP, (payload, fds) => dma.map(payload, fds)],
      [COMMANDS.DMA_UNMAP, (payload) => dma.unmap(payload)],
      [COMMANDS.DEVICE_GET_INFO, (payload) => this.#deviceInfo(payload)],
      [
        COMMANDS.DEVICE_GET_REGION_INFO,
        (payload) => regionInfo(regions, payload, this.#passesFds()),
      ],
      [
        COMMANDS.DEVICE_GET_REGION_IO_FDS,
        (payload) => regionIoDescriptors(regions, payload, limits.maxDataXfer),
      ],
      [COMMANDS.DEVICE_GET_IRQ_INFO, (payload) => this.#interrupts.info(payload)],
      [COMMANDS.DEVICE_SET_IRQS, (payload, fds) => this.#interrupts.set(payload, fds)],
      [COMMANDS.DEVICE_RESET, () => this.#reset()],
      [COMMANDS.DEVICE_FEATURE, (payload) => features.run(payload)],
      [
        COMMANDS.MIG_DATA_READ,
        (payload) => this.#migration.read(payload, this.#client!.maxDataXfer),
      ],
      [COMMANDS.MIG_DATA_WRITE, (payload) => this.#migration.write(payload, limits.maxDataXfer)],
    ]);
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
    for (const fd of fds) this.served.descriptors.close(fd);
  }

  /** A command for which there is time. What it takes over is removed from `fds`. */
  #command(at: number, size: number, fds: number[]): void {
    const { view, bytes } = this.inbox;
    const id = view.getUint16(at + HEADER_ID, true);
    const command = view.getUint16(at + HEADER_COMMAND, true);
    const reply = this.#handle(command, bytes.subarray(at + HEADER_SIZE, at + size), fds);
    if ((view.getUint32(at + HEADER_FLAGS, true) & FLAG_NO_REPLY) === 0)
      this.#reply(id, command, reply);
  }

  #handle(command: number, payload: Uint8Array, fds: number[]): Reply {
    try {
      return this.#handlers.get(command)?.(payload, fds) ?? -EINVAL;
    } catch (error) {
      if (!(error instanceof VfioError)) this.served.failed(error);
      return errnoOf(error);
    }
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
    this.#client = outcome.client;
    this.#requests.open(Math.min(outcome.client.maxDataXfer, limits.maxDataXfer));
    this.#reply(view.getUint16(at + HEADER_ID, true), command, outcome.reply);
  }

  #reply(id: number, command: number, reply: Reply): void {
    if (typeof reply === 'number') {
      if (reply < 0) this.#outbox.error(id, command, -reply);
      else this.#complete(id, command, NOTHING);
    } else if (reply instanceof Uint8Array) this.#complete(id, command, reply);
    else this.#complete(id, command, reply.payload, reply.fd);
  }

  #complete(id: number, command: number, payload: Uint8Array, fd?: number): void {
    const size = HEADER_SIZE + payload.length;
    const to = this.#outbox.open(size);
    putHeader(this.#outbox.view, to, id, command, size, TYPE_REPLY);
    if (payload.length > 0) this.#outbox.bytes.set(payload, to + HEADER_SIZE);
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

  #deviceInfo(payload: Uint8Array): Reply {
    const size = vfioDeviceInfo.ends.numIrqs;
    if (payload.length < size || vfioDeviceInfo.decode(payload).argsz < size) return -EINVAL;
    const { flags, numRegions } = this.served.client.info();
    const shown = flags & (VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI);
    const answer = { argsz: size, flags: shown, numRegions, numIrqs: VFIO_PCI_NUM_IRQS };
    return vfioDeviceInfo.encode(answer).subarray(0, size);
  }

  #reset(): number {
    this.served.client.reset();
    return 0;
  }

  #passesFds(): boolean {
    return this.#channel.passesDescriptors && this.#client!.maxMsgFds > 0;
  }

  /** Nothing of the client is left behind: DMA, windows, descriptors, interrupts, the device's state. */
  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const { memory, descriptors, client, failed, ended } = this.served;
    this.#outbox.clear();
    this.#requests.close();
    memory.detach();
    for (const fd of this.inbox.clear()) descriptors.close(fd);
    try {
      this.#interrupts.clear();
      this.#irqs.close();
      this.#migration.close();
      if ((client.info().flags & VFIO_DEVICE_FLAGS_RESET) !== 0) client.reset();
    } catch (error) {
      failed(error);
    }
    ended();
  }
}
