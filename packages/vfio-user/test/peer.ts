import {
  ClientMemory,
  type MemoryClient,
  MemoryTransport,
  type ServeOptions,
  type ServerEvent,
  VfioUserServer,
} from '../src/index.js';
import { TestDevice, TestMigration } from './test-device.js';

/** A message as a client sees it. */
export interface Message {
  readonly id: number;
  readonly command: number;
  readonly flags: number;
  readonly error: number;
  readonly payload: Uint8Array;
  readonly view: DataView;
  readonly size: number;
  readonly fd: number | undefined;
}

export const u32 = (...values: number[]): Uint8Array =>
  new Uint8Array(Uint32Array.from(values).buffer);

export function u64(...values: (number | bigint)[]): Uint8Array {
  return new Uint8Array(BigUint64Array.from(values.map((value) => BigInt(value))).buffer);
}

export function bytes(...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export interface HeaderOptions {
  readonly id?: number;
  readonly flags?: number;
  readonly size?: number;
  readonly error?: number;
}

/** Puts a message together; the header can be made to lie. */
export function message(
  command: number,
  payload: Uint8Array = new Uint8Array(0),
  { id = 1, flags = 0, size = 16 + payload.length, error = 0 }: HeaderOptions = {},
): Uint8Array {
  const out = new Uint8Array(16 + payload.length);
  const view = new DataView(out.buffer);
  view.setUint16(0, id, true);
  view.setUint16(2, command, true);
  view.setUint32(4, size, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, error, true);
  out.set(payload, 16);
  return out;
}

export const json = (text: string, major = 0, minor = 1): Uint8Array =>
  bytes([major, 0, minor, 0], new TextEncoder().encode(text));

const HELLO =
  '{"capabilities":{"max_msg_fds":8,"max_data_xfer_size":1048576,"max_dma_maps":65535,"pgsizes":4096,"write_multiple":true}}\0';

/** Cuts what a server sent into messages; a descriptor belongs to the message that its packet starts with. */
export function cut(client: MemoryClient): Message[] {
  const messages: Message[] = [];
  const all = bytes(...client.packets.map((packet) => packet.bytes));
  const fds = new Map<number, number>();
  let position = 0;
  for (const packet of client.packets) {
    if (packet.fd !== undefined) fds.set(position, packet.fd);
    position += packet.bytes.length;
  }
  client.packets.length = 0;
  for (let at = 0; at < all.length; ) {
    const view = new DataView(all.buffer, at);
    const size = view.getUint32(4, true);
    const payload = all.slice(at + 16, at + size);
    messages.push({
      id: view.getUint16(0, true),
      command: view.getUint16(2, true),
      flags: view.getUint32(8, true),
      error: view.getUint32(12, true),
      payload,
      view: new DataView(payload.buffer),
      size,
      fd: fds.get(at),
    });
    at += size;
  }
  return messages;
}

/** A client over a connection in memory: it asks, and every reply is there when it has asked. */
export class Peer {
  #id = 0;

  constructor(
    readonly client: MemoryClient,
    private readonly transport: MemoryTransport,
  ) {}

  get closed(): boolean {
    return this.client.closed;
  }

  /** Sends a command and takes everything that the server sent since. */
  all(
    command: number,
    payload?: Uint8Array,
    fds: number[] = [],
    options?: HeaderOptions,
  ): Message[] {
    this.#id = (this.#id + 1) % 0x10000;
    this.client.send(message(command, payload, { id: this.#id, ...options }), fds);
    return cut(this.client);
  }

  /** Sends a command and takes its one reply. */
  ask(command: number, payload?: Uint8Array, fds: number[] = [], options?: HeaderOptions): Message {
    const messages = this.all(command, payload, fds, options);
    if (messages.length !== 1) throw new Error(`${messages.length} replies to command ${command}`);
    return messages[0]!;
  }

  /** 0, or the errno of the reply. */
  errno(
    command: number,
    payload?: Uint8Array,
    fds: number[] = [],
    options?: HeaderOptions,
  ): number {
    return this.ask(command, payload, fds, options).error;
  }

  hello(text = HELLO, minor = 1): Message {
    return this.ask(1, json(text, 0, minor));
  }

  /** The connection answers GET_INFO. */
  get stays(): boolean {
    return !this.closed && this.errno(4, u32(16, 0, 0, 0)) === 0;
  }

  read(region: number, offset: number | bigint, count: number): Message {
    return this.ask(9, bytes(u64(offset), u32(region, count)));
  }

  write(region: number, offset: number | bigint, data: readonly number[], flags = 0): Message[] {
    return this.all(10, bytes(u64(offset), u32(region, data.length), data), [], { flags });
  }

  map(address: number | bigint, size: number | bigint, options: MapOptions = {}): number {
    const { flags = 3, offset = 0, fds = [] } = options;
    return this.errno(2, bytes(u32(32, flags), u64(offset, address, size)), fds);
  }

  unmap(address: number | bigint, size: number | bigint, flags = 0): number {
    return this.errno(3, bytes(u32(24, flags), u64(address, size)));
  }

  /** SET_IRQS */
  irqs(flags: number, index: number, start: number, count: number, more: IrqMore = {}): number {
    const { data = [], fds = [], argsz = 20 + data.length } = more;
    return this.errno(8, bytes(u32(argsz, flags, index, start, count), data), fds);
  }

  /** New eventfds: descriptors to send, and the counters behind them. */
  eventfds(count: number): { readonly fds: number[]; readonly files: { count: number }[] } {
    const files = Array.from({ length: count }, () => ({ count: 0 }));
    return { fds: files.map((file) => this.transport.descriptors.install(file)), files };
  }

  /** A file in memory, as a descriptor to send. */
  file(contents: Uint8Array): number {
    return this.transport.descriptors.install({ bytes: contents });
  }

  /** Closes a descriptor that was not sent. */
  forget(fd: number): void {
    this.transport.descriptors.close(fd);
  }

  feature(flags: number, data: Uint8Array = new Uint8Array(0), argsz = 8 + data.length): Message {
    return this.ask(16, bytes(u32(argsz, flags), data));
  }
}

interface MapOptions {
  readonly flags?: number;
  readonly offset?: number;
  readonly fds?: number[];
}

interface IrqMore {
  readonly data?: readonly number[];
  readonly fds?: number[];
  readonly argsz?: number;
}

/** A server of the device under test, in memory, and the way to it. */
export interface Bench extends Disposable {
  readonly device: TestDevice;
  readonly transport: MemoryTransport;
  readonly memory: ClientMemory;
  readonly server: VfioUserServer;
  readonly events: ServerEvent[];
  /** A client that has not said anything yet. */
  connect(): Peer;
  /** A client after VERSION. */
  hello(): Peer;
  /** How many descriptors the server holds. */
  readonly descriptors: number;
}

export async function bench(
  options: Partial<ServeOptions> & { readonly maxDmaMaps?: number } = {},
  device = new TestDevice(),
): Promise<Bench> {
  const transport = new MemoryTransport();
  const { maxDmaMaps = 16, ...rest } = options;
  const memory = new ClientMemory(maxDmaMaps);
  const events: ServerEvent[] = [];
  const bar2 = device.regions[2]!.bytes;
  const fd = transport.descriptors.install({ bytes: bar2 });
  const server = await VfioUserServer.listen({
    device,
    transport,
    path: 'test',
    memory,
    mappable: new Map([[2, { fd, offset: 0x8000, bytes: bar2 }]]),
    onEvent: (event) => events.push(event),
    ...rest,
  });
  const connect = () => new Peer(transport.connect('test'), transport);
  return {
    device,
    transport,
    memory,
    server,
    events,
    connect,
    hello() {
      const peer = connect();
      peer.hello();
      return peer;
    },
    get descriptors() {
      return transport.descriptors.size;
    },
    [Symbol.dispose]: () => server.close(),
  };
}

/** A bench whose device migrates. */
export async function migrating(): Promise<Bench & { migration: TestMigration }> {
  const device = new TestDevice();
  const migration = new TestMigration();
  device.migration = migration;
  return Object.assign(await bench({}, device), { migration });
}
