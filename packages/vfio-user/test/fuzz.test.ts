import { VfioError } from '@vfiokit/uapi';
import { expect, test } from 'vitest';
import {
  type Bench,
  bench,
  bytes,
  cut,
  json,
  type Message,
  message,
  type Peer,
  u32,
  u64,
} from './peer.js';
import { TestDevice, TestMigration } from './test-device.js';

/** How many messages are sent: a hundred thousand, or as many as the environment says. */
const MESSAGES = Number(process.env.VFIOKIT_FUZZ_MESSAGES ?? 100_000);
const SESSION = 50;
/** About ten times of what they take. */
const TIMEOUT = 60_000 + MESSAGES / 10;
/** Bytes of data in a message, at most: two of them are more than the server has room for. */
const LARGEST = 20_000;
/** What the model throws. */
const FAULT = 'the model has a fault';
/** Stands for descriptors that could not be received. */
const LOST = -1;

/** Random numbers that repeat (mulberry32). */
class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * limit);
  }

  /** True once in so many times. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }
}

const HELLOS = [
  '',
  '{}\0',
  '{"capabilities":{"max_msg_fds":8}}\0',
  '{"capabilities":{"max_msg_fds":8,"max_data_xfer_size":1048576}}\0',
  '{"capabilities":{"max_msg_fds":0,"max_data_xfer_size":5}}\0',
  '{"capabilities":{"max_data_xfer_size":0,"migration":{"pgsize":4096}}}\0',
];

const GOOD_HELLO = HELLOS[3]!;

const LARGE_READ = [9, bytes(u64(0), u32(4, LARGEST)), 0] as const;

/** Messages that a client sends in earnest: command, payload, how many descriptors. */
const VALID: readonly (readonly [number, Uint8Array, number])[] = [
  [1, json('{}\0'), 0],
  [2, bytes(u32(32, 3), u64(0, 0x10000, 0x1000)), 0],
  [2, bytes(u32(32, 3), u64(0, 0x20000, 0x1000)), 1],
  [2, bytes(u32(32, 11), u64(16, 0x21000, 0x1000)), 1],
  [2, bytes(u32(32, 1), u64(0, 2n ** 63n, 0x1000)), 1],
  [3, bytes(u32(24, 0), u64(0x10000, 0x1000)), 0],
  [3, bytes(u32(24, 0), u64(0, 2n ** 63n)), 0],
  [3, bytes(u32(48, 1), u64(0x20000, 0x1000, 4096, 8), u64(0)), 0],
  [3, bytes(u32(24, 2), u64(0, 0)), 0],
  [4, u32(16, 0, 0, 0), 0],
  [5, bytes(u32(128, 0, 2, 0), u64(0, 0)), 0],
  [6, u32(16, 0, 0, 0), 0],
  [7, u32(16, 0, 2, 0), 0],
  [8, u32(20, 0x24, 2, 0, 2), 2],
  [8, u32(20, 0x24, 2, 1, 1), 0],
  [8, bytes(u32(22, 0x22, 2, 0, 2), [1, 0]), 0],
  [8, bytes(u32(22, 0x0a, 2, 0, 2), [0, 1]), 0],
  [8, u32(20, 0x09, 2, 0, 2), 0],
  [8, u32(20, 0x11, 2, 0, 2), 0],
  [8, u32(20, 0x21, 2, 0, 0), 0],
  [8, u32(20, 0x24, 0, 0, 1), 1],
  [8, u32(20, 0x11, 0, 0, 1), 0],
  [8, u32(20, 0x24, 3, 0, 1), 1],
  [9, bytes(u64(16), u32(0, 4)), 0],
  [9, bytes(u64(18), u32(0, 2)), 0],
  [9, bytes(u64(0), u32(7, 256)), 0],
  LARGE_READ,
  [10, bytes(u64(16), u32(0, 4), [1, 2, 3, 4]), 0],
  [10, bytes(u64(16), u32(0, 2), [1, 2]), 0],
  [10, bytes(u64(3), u32(2, 9), new Uint8Array(9)), 0],
  [13, new Uint8Array(0), 0],
  [15, bytes(u64(1), u64(0), u32(0, 4), new Uint8Array(8)), 0],
  [16, bytes(u32(16, 0x10001), u64(0)), 0],
  [16, bytes(u32(16, 0x20002), u32(3, 0)), 0],
  [16, bytes(u32(16, 0x20002), u32(2, 0)), 0],
  [16, bytes(u32(16, 0x20002), u32(4, 0)), 0],
  [16, bytes(u32(48, 0x20006), u64(4096), u32(1, 0), u64(0, 0x100000)), 0],
  [16, u32(8, 0x20007), 0],
  [16, bytes(u32(64, 0x10008), u64(0x20000, 0x1000, 4096)), 0],
  [17, u32(40, 32), 0],
  [18, bytes(u32(12, 4), [1, 2, 3, 4]), 0],
];

const WITHOUT_DESCRIPTORS = VALID.filter(([, , count]) => count === 0);

/** A client that sends valid messages with some of their bytes, their length or their descriptors changed. */
class HostileClient {
  constructor(
    private readonly peer: Peer,
    private readonly dice: Dice,
  ) {}

  hello(): void {
    const { dice } = this;
    const whole = message(1, json(dice.oneIn(4) ? dice.pick(HELLOS) : GOOD_HELLO));
    this.#deliver(dice.oneIn(20) ? this.#mutate(whole) : whole, []);
  }

  /** One message, or the last of several that leave together. */
  send(): void {
    const { dice, peer } = this;
    const [command, payload, count] = dice.pick(VALID);
    const before = dice.oneIn(8) ? [this.#compose(), this.#compose()] : [];
    const whole = bytes(...before, this.#compose(command, payload));
    const { fds } = peer.eventfds(dice.oneIn(10) ? dice.below(4) : count);
    if (command === 2 && fds.length > 0 && !dice.oneIn(4)) {
      const file = peer.file(new Uint8Array(0x2010));
      peer.forget(fds[0]!);
      fds[0] = file;
    }
    this.#deliver(whole, fds);
  }

  /** Answers what the server asks for, mostly rightly. */
  answer({ id, command, view, payload }: Message): void {
    const { dice } = this;
    const count = Number(view.getBigUint64(8, true));
    const data = command === 11 ? new Uint8Array(count) : new Uint8Array(0);
    const reply = dice.oneIn(8)
      ? message(command, undefined, { id, flags: 0x21, error: dice.below(200) })
      : message(command, bytes(payload.subarray(0, 16), data), { id, flags: 1 });
    if (!dice.oneIn(6)) this.#deliver(dice.oneIn(4) ? this.#mutate(reply) : reply, []);
  }

  #compose(...[command, payload]: [] | [number, Uint8Array]): Uint8Array {
    const { dice } = this;
    const [other, others] = dice.oneIn(3) ? LARGE_READ : dice.pick(WITHOUT_DESCRIPTORS);
    const flags = dice.oneIn(8) ? 0x10 : 0;
    return this.#mutate(message(command ?? other, payload ?? others, { id: dice.below(4), flags }));
  }

  #mutate(whole: Uint8Array): Uint8Array {
    const { dice } = this;
    for (let i = dice.below(4); i > 0; i -= 1) {
      // The size stays mostly right, or every session would end at once.
      const at = dice.oneIn(20) ? dice.below(whole.length) : 8 + dice.below(whole.length - 8);
      whole[at] = dice.pick([0, 1, 0xff, 0x80, dice.below(256)]);
    }
    return whole;
  }

  /** In one piece, in two, byte by byte, or only the first part of it. */
  #deliver(whole: Uint8Array, fds: readonly number[]): void {
    const { dice, peer } = this;
    const cutAt = dice.oneIn(10) ? dice.below(whole.length) : whole.length;
    // Descriptors travel with a byte; without one they stay here.
    if (cutAt === 0 || peer.closed || paused(peer)) {
      for (const fd of fds) peer.forget(fd);
      return;
    }
    const lost = fds.length > 0 && dice.oneIn(20);
    if (lost) for (const fd of fds) peer.forget(fd);
    peer.client.send(whole.subarray(0, cutAt), lost ? [LOST] : fds);
    const rest = dice.oneIn(50) ? new Uint8Array(0) : whole.subarray(cutAt);
    const step = dice.oneIn(2) ? 1 : Math.max(rest.length, 1);
    for (let at = 0; at < rest.length && !paused(peer); at += step)
      peer.client.send(rest.subarray(at, at + step));
  }
}

const paused = (peer: Peer) => peer.client.user?.paused === true;

/** A device that reaches for the client's memory all the time, makes mistakes, and hears of the end of each of its transfers. */
class BusyDevice {
  begun = 0;
  ended = 0;

  constructor(
    private readonly stage: Bench,
    private readonly dice: Dice,
  ) {
    const { device } = stage;
    const fault = () => {
      if (dice.oneIn(100)) throw new TypeError(FAULT);
      if (dice.oneIn(100)) throw new VfioError('EBUSY', FAULT);
    };
    device.onRead = fault;
    device.onWrite = fault;
  }

  work(): void {
    const { dice, stage } = this;
    const { memory } = stage;
    const address = dice.pick([0x10000, 0x10ffe, 0x20ffe, 0x21008, 2 ** 63, 2n ** 63n + 8n]);
    const piece = new Uint8Array(dice.pick([0, 4, 8, 0x1800]));
    if (dice.oneIn(3)) memory.read(address, piece);
    if (dice.oneIn(3)) memory.write(address, piece);
    if (dice.oneIn(5)) memory.view(address, piece.length, 'write')?.fill(1);
    if (dice.oneIn(3)) this.#begin(address, piece, 1);
    stage.device.raise(2, dice.below(3));
    stage.device.raise(0, 0);
    if (stage.device.migration !== undefined)
      stage.device.migration.refuse = dice.oneIn(10) ? dice.below(5) : undefined;
  }

  #begin(address: number | bigint, piece: Uint8Array, again: number): void {
    const { dice } = this;
    this.begun += 1;
    const done = (result: number) => {
      this.ended += 1;
      if (result < 0 && again > 0 && dice.oneIn(2)) this.#begin(address, piece, again - 1);
      if (dice.oneIn(50)) throw new TypeError(FAULT);
    };
    const { memory } = this.stage;
    try {
      if (dice.oneIn(2)) memory.readLater(address, piece, done);
      else memory.writeLater(address, piece, done);
    } catch (error) {
      // What ends at once throws to the device itself.
      if (!(error instanceof TypeError)) throw error;
    }
  }
}

/** Every message of the server has a header that is right; what it asks is answered. */
function take(client: HostileClient, peer: Peer): void {
  const whole = peer.client.packets.reduce((sum, packet) => sum + packet.bytes.length, 0);
  // A connection may end with a part of a message.
  if (paused(peer) || peer.closed) return;
  const messages = cut(peer.client);
  const wrong = messages.filter(({ flags, error, size }) =>
    flags === 0x21 ? error === 0 || size !== 16 : error !== 0 || (flags !== 0 && flags !== 1),
  );
  const size = messages.reduce((sum, one) => sum + one.size, 0);
  if (wrong.length > 0 || size !== whole) expect([wrong, size]).toEqual([[], whole]);
  for (const one of messages) if (one.flags === 0) client.answer(one);
}

/** What the server was told of by its device, and nothing of its own. */
const ownFailures = ({ events }: Bench) =>
  events.filter((event) => event.kind === 'failure' && (event.error as Error).message !== FAULT);

function session(stage: Bench, dice: Dice): void {
  const peer = stage.connect();
  const client = new HostileClient(peer, dice);
  const device = new BusyDevice(stage, dice);
  client.hello();
  for (let i = 0; i < SESSION && !peer.closed; i += 1) {
    if (dice.oneIn(20)) peer.client.room = dice.below(1000);
    client.send();
    device.work();
    if (dice.oneIn(2)) peer.client.drain(dice.oneIn(4) ? dice.below(30_000) : undefined);
    take(client, peer);
  }
  if (dice.oneIn(2)) peer.client.drain();
  peer.client.disconnect();
  expect([stage.memory.windows.size, device.ended]).toEqual([0, device.begun]);
}

test.each(['covering', 'exact'] as const)(
  `${MESSAGES / 2} mutated messages neither throw nor leak a descriptor nor stop the server, unmap mode %s`,
  async (unmap) => {
    const dice = new Dice(unmap.length);
    const device = new TestDevice();
    device.migration = new TestMigration();
    using stage = await bench({ unmap, limits: { maxDataXfer: LARGEST } }, device);
    const before = stage.descriptors;
    for (let sent = 0; sent < MESSAGES / 2; sent += SESSION) {
      session(stage, dice);
      expect([stage.descriptors, ownFailures(stage)]).toEqual([before, []]);
      for (const list of [device.accesses, device.masks, stage.events]) list.length = 0;
    }
    device.onRead = () => {};
    expect(stage.hello().stays).toBe(true);
  },
  TIMEOUT,
);
