import { expect, test } from 'vitest';
import { type Bench, bench, bytes, json, message, type Peer, u32, u64 } from './peer.js';
import { TestDevice, TestMigration } from './test-device.js';

/** How many messages are sent: a hundred thousand, or as many as the environment says. */
const MESSAGES = Number(process.env.VFIOKIT_FUZZ_MESSAGES ?? 100_000);
const SESSION = 50;
/** About ten times of what they take. */
const TIMEOUT = 60_000 + MESSAGES / 10;

/** Random numbers that repeat (mulberry32). */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below;
  };
}

const integer = (roll: (below: number) => number, below: number) => Math.floor(roll(below));

/** Messages that a client sends in earnest. */
const VALID: readonly (readonly [number, Uint8Array, number])[] = [
  [2, bytes(u32(32, 3), u64(0, 0x10000, 0x1000)), 0],
  [2, bytes(u32(32, 3), u64(0, 0x20000, 0x1000)), 1],
  [3, bytes(u32(24, 0), u64(0x10000, 0x1000)), 0],
  [3, bytes(u32(48, 1), u64(0x20000, 0x1000, 4096, 8), u64(0)), 0],
  [3, bytes(u32(24, 2), u64(0, 0)), 0],
  [4, u32(16, 0, 0, 0), 0],
  [5, bytes(u32(128, 0, 2, 0), u64(0, 0)), 0],
  [6, u32(16, 0, 0, 0), 0],
  [7, u32(16, 0, 2, 0), 0],
  [8, u32(20, 0x24, 2, 0, 2), 2],
  [8, bytes(u32(22, 0x22, 2, 0, 2), [1, 0]), 0],
  [8, u32(20, 0x21, 2, 0, 0), 0],
  [8, u32(20, 0x24, 0, 0, 1), 1],
  [9, bytes(u64(16), u32(0, 4)), 0],
  [9, bytes(u64(0), u32(7, 256)), 0],
  [10, bytes(u64(16), u32(0, 4), [1, 2, 3, 4]), 0],
  [13, new Uint8Array(0), 0],
  [15, bytes(u64(1), u64(0), u32(0, 4), new Uint8Array(8)), 0],
  [16, bytes(u32(16, 0x20002), u32(3, 0)), 0],
  [16, bytes(u32(16, 0x20002), u32(2, 0)), 0],
  [16, bytes(u32(48, 0x20006), u64(4096), u32(1, 0), u64(0, 0x100000)), 0],
  [16, bytes(u32(64, 0x10008), u64(0x20000, 0x1000, 4096)), 0],
  [17, u32(40, 32), 0],
  [18, bytes(u32(12, 4), [1, 2, 3, 4]), 0],
  [11, bytes(u64(0x10000, 4), [1, 2, 3, 4]), 0],
];

/** Sends a valid message with some of its bytes, its length or its descriptors changed. */
function mutate(peer: Peer, roll: (below: number) => number): void {
  const [command, payload, count] = VALID[integer(roll, VALID.length)]!;
  const reply = command === 11 ? 1 : integer(roll, 8) === 0 ? 0x10 : 0;
  const whole = message(command, payload, { id: integer(roll, 4), flags: reply });
  for (let i = integer(roll, 4); i > 0; i -= 1) {
    // The size stays mostly right, or every session would end at once.
    const at =
      integer(roll, 20) === 0 ? integer(roll, whole.length) : 8 + integer(roll, whole.length - 8);
    whole[at] = [0, 1, 0xff, 0x80, integer(roll, 256)][integer(roll, 5)]!;
  }
  const fds = peer.eventfds(integer(roll, 10) === 0 ? integer(roll, 4) : count).fds;
  if (command === 2 && fds.length > 0 && integer(roll, 4) > 0)
    fds[0] = replaceByFile(peer, fds[0]!);
  const cutAt = integer(roll, 10) === 0 ? integer(roll, whole.length) : whole.length;
  // Descriptors travel with a byte; without one they stay here.
  if (cutAt === 0 || peer.closed) for (const fd of fds) peer.forget(fd);
  else peer.client.send(whole.subarray(0, cutAt), fds);
  if (integer(roll, 50) > 0 && cutAt < whole.length) peer.client.send(whole.subarray(cutAt));
}

function replaceByFile(peer: Peer, fd: number): number {
  const other = peer.file(new Uint8Array(0x2000));
  peer.forget(fd);
  return other;
}

async function stageOf(): Promise<Bench> {
  const device = new TestDevice();
  device.migration = new TestMigration();
  return bench({}, device);
}

test(
  `${MESSAGES} mutated messages neither throw nor leak a descriptor nor stop the server`,
  async () => {
    const roll = random(0x5eed);
    using stage = await stageOf();
    const before = stage.descriptors;
    for (let sent = 0; sent < MESSAGES; sent += SESSION) {
      const peer = stage.connect();
      peer.client.send(message(1, json('{"capabilities":{"max_msg_fds":8}}\0')));
      stage.memory.readLater(0x10000, new Uint8Array(8), () => {});
      for (let i = 0; i < SESSION && !peer.closed; i += 1) {
        mutate(peer, roll);
        if (integer(roll, 5) === 0) stage.memory.readLater(0x10000, new Uint8Array(8), () => {});
        stage.device.raise(2, integer(roll, 3));
      }
      peer.client.packets.length = 0;
      peer.client.disconnect();
      stage.device.accesses.length = 0;
      stage.device.masks.length = 0;
      stage.events.length = 0;
      expect(stage.descriptors).toBe(before);
    }
    expect(stage.hello().stays).toBe(true);
  },
  TIMEOUT,
);
