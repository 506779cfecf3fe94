// What a message costs. Both servers, ours and where there is one a server of the C library, are driven by the same client in
// turns; the figures are ratios of medians. VFIOKIT_VFIO_USER_PEER names a program that serves a path with 1 MiB in BAR0.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addressOfBytes, calls, connectTo } from './system-calls.js';

const READ = 9;
const WRITE = 10;
const MAP = 2;
const UNMAP = 3;
const ROUNDS = 7;

/** A client that blocks, like a vCPU. */
class Client {
  readonly #out = new Uint8Array(new ArrayBuffer(1 << 16));
  readonly #view = new DataView(this.#out.buffer);
  readonly #in = new Uint8Array(new ArrayBuffer(1 << 21));
  readonly #message = new Uint8Array(new ArrayBuffer(72 + 24));

  constructor(readonly fd: number) {
    const json = new TextEncoder().encode('{"capabilities":{"max_msg_fds":8}}\0');
    this.#header(0, 1, 20 + json.length);
    this.#view.setUint32(16, 0x10000, true);
    this.#out.set(json, 20);
    this.#send(20 + json.length);
    this.#receive(16);
  }

  /** A read of `count` bytes, or a 4-byte write. */
  access(command: number, count: number): void {
    const size = command === WRITE ? 36 : 32;
    this.#put(0, command, size, count, 0);
    this.#send(size);
    this.#receive(command === WRITE ? 32 : 32 + count);
  }

  /** Posted writes, and a read behind them. */
  posted(writes: number): void {
    this.#put(0, WRITE, 36, 4, 0x10);
    for (let i = 0; i < writes; i += 1) this.#send(36);
    this.access(READ, 4);
  }

  /** Reads that are sent together. */
  inFlight(reads: number): void {
    for (let i = 0; i < reads; i += 1) this.#put(32 * i, READ, 32, 4, 0);
    this.#send(32 * reads);
    this.#receive(36 * reads);
  }

  /** A window with a file, `number` windows into the address space. */
  map(number: number, file: number): void {
    this.#header(0, MAP, 48);
    this.#window(number, 32, 3, 24);
    this.#view.setBigUint64(24, BigInt(number) * 4096n, true);
    const view = new DataView(this.#message.buffer);
    view.setBigUint64(16, addressOfBytes(this.#message) + 56n, true);
    view.setBigUint64(24, 1n, true);
    view.setBigUint64(32, addressOfBytes(this.#message) + 72n, true);
    view.setBigUint64(40, 24n, true);
    view.setBigUint64(56, addressOfBytes(this.#out), true);
    view.setBigUint64(64, 48n, true);
    view.setBigUint64(72, 20n, true);
    view.setUint32(80, 1, true);
    view.setUint32(84, 1, true);
    view.setInt32(88, file, true);
    calls.sendmsg(this.fd, this.#message, 0);
    this.#receive(16);
  }

  unmap(number: number): void {
    this.#header(0, UNMAP, 40);
    this.#window(number, 24, 0, 16);
    this.#send(40);
    this.#receive(40);
  }

  close(): void {
    calls.close(this.fd);
  }

  #window(number: number, argsz: number, flags: number, skip: number): void {
    this.#view.setUint32(16, argsz, true);
    this.#view.setUint32(20, flags, true);
    const at = 8 + skip;
    this.#view.setBigUint64(at, 0x1_0000_0000n + BigInt(number) * 8192n, true);
    this.#view.setBigUint64(at + 8, 4096n, true);
  }

  #put(at: number, command: number, size: number, count: number, flags: number): void {
    this.#header(at, command, size, flags);
    this.#out.fill(0, at + 16, at + 28);
    this.#view.setUint32(at + 28, count, true);
  }

  #header(at: number, command: number, size: number, flags = 0): void {
    this.#view.setUint16(at, 1, true);
    this.#view.setUint16(at + 2, command, true);
    this.#view.setUint32(at + 4, size, true);
    this.#view.setUint32(at + 8, flags, true);
  }

  #send(length: number): void {
    calls.send(this.fd, this.#out, length, 0);
  }

  #receive(length: number): void {
    for (let got = 0; got < length; ) {
      const count = calls.recv(this.fd, this.#in, this.#in.length, 0);
      if (count <= 0) throw new Error('the server is gone');
      got += count;
    }
  }
}

/** Microseconds for one of many. */
function time(times: number, run: (i: number) => void): number {
  const start = process.hrtime.bigint();
  for (let i = 0; i < times; i += 1) run(i);
  return Number(process.hrtime.bigint() - start) / 1000 / times;
}

const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[values.length >> 1]!;

interface Peer {
  readonly child: ChildProcess;
  readonly client: Client;
}

const folder = fileURLToPath(new URL('.', import.meta.url));

async function start(name: string, command: string, args: readonly string[]): Promise<Peer> {
  const path = join(tmpdir(), `vfiokit-bench-${process.pid}-${name}.sock`);
  rmSync(path, { force: true });
  const child = spawn(command, [...args.slice(0, 1), path, ...args.slice(1)].filter(Boolean), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for (let i = 0; i < 200 && !existsSync(path); i += 1)
    await new Promise((resolve) => setTimeout(resolve, 20));
  await new Promise((resolve) => setTimeout(resolve, 100));
  const fd = connectTo(path);
  if (fd < 0) throw new Error(`${command}: does not serve ${path}`);
  return { child, client: new Client(fd) };
}

type Measure = (client: Client) => number;

const MEASURES: readonly (readonly [string, Measure])[] = [
  ['read of 4 bytes', (client) => time(5000, () => client.access(READ, 4))],
  ['write of 4 bytes', (client) => time(5000, () => client.access(WRITE, 4))],
  ['posted write, 1000 and a read', (client) => time(20, () => client.posted(1000)) / 1000],
  ['read, 32 in flight', (client) => time(500, () => client.inFlight(32)) / 32],
  ['read of 64 KiB', (client) => time(500, () => client.access(READ, 1 << 16))],
  ['read of 1 MiB', (client) => time(50, () => client.access(READ, 1 << 20))],
];

/** Maps and unmaps so many windows; microseconds for one map and one unmap. */
function mapping(client: Client, windows: number): number {
  const file: number = calls.memfdCreate('bench', 0);
  calls.ftruncate(file, windows * 4096);
  const map = time(windows, (i) => client.map(i, file));
  const unmap = time(windows, (i) => client.unmap(i));
  calls.close(file);
  return map + unmap;
}

export async function bench(report: (line: string) => void): Promise<void> {
  const peerProgram = process.env.VFIOKIT_VFIO_USER_PEER;
  const ours = await start('ours', process.execPath, [join(folder, 'server.js'), '0']);
  const spinning = await start('spin', process.execPath, [join(folder, 'server.js'), '50']);
  const echo = await start('echo', process.execPath, [join(folder, 'echo.js')]);
  const peer = peerProgram === undefined ? undefined : await start('peer', peerProgram, []);
  if (peer === undefined)
    report('without a C server beside it (VFIOKIT_VFIO_USER_PEER): figures of ours alone');
  const all = [ours, spinning, echo, ...(peer ? [peer] : [])];
  for (const { client } of all) time(20_000, () => client.access(READ, 4));

  for (const [name, measure] of MEASURES) {
    const figures = new Map<Peer, number[]>(all.map((one) => [one, []]));
    const isRead4 = name === MEASURES[0]![0];
    for (let round = 0; round < ROUNDS; round += 1)
      for (const one of all)
        if (isRead4 || (one !== echo && one !== spinning))
          figures.get(one)!.push(measure(one.client));
    const mine = median(figures.get(ours)!);
    const than = (other: Peer | undefined, what: string) =>
      other === undefined ? '' : `, ${(mine / median(figures.get(other)!)).toFixed(2)}x of ${what}`;
    report(
      `${name}: ${mine.toFixed(2)} µs${than(peer, 'the C server')}${isRead4 ? than(echo, 'an echo') : ''}`,
    );
    if (isRead4) {
      const quick = median(figures.get(spinning)!);
      const against =
        peer && `, ${(quick / median(figures.get(peer)!)).toFixed(2)}x of the C server`;
      report(`${name}, spinning: ${quick.toFixed(2)} µs${against ?? ''}`);
    }
  }
  const few = median(Array.from({ length: ROUNDS }, () => mapping(ours.client, 1000)));
  const many = median(Array.from({ length: 3 }, () => mapping(ours.client, 60_000)));
  const theirs = peer && median(Array.from({ length: 3 }, () => mapping(peer.client, 60_000)));
  report(
    `map and unmap, 60,000 windows: ${many.toFixed(2)} µs, ${(many / few).toFixed(2)}x of 1,000${theirs === undefined ? '' : `, ${(many / theirs).toFixed(2)}x of the C server`}`,
  );
  const said: string[] = [];
  ours.child.stdout?.on('data', (text) => said.push(String(text)));
  ours.client.close();
  await new Promise((resolve) => setTimeout(resolve, 100));

  const path = join(tmpdir(), `vfiokit-bench-${process.pid}-ours.sock`);
  const million = new Client(connectTo(path));
  time(20_000, () => million.access(READ, 4));
  time(1_000_000, () => million.access(READ, 4));
  said.length = 0;
  million.close();
  await new Promise((resolve) => setTimeout(resolve, 200));
  report(`garbage collections in a million reads: ${said.join('').trim()}`);
  for (const { child, client } of [spinning, echo, ...(peer ? [peer] : [])]) {
    client.close();
    child.kill();
  }
  ours.child.kill();
}
