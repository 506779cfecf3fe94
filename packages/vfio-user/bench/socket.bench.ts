// What a message costs. Servers are driven in turns by one client, in short rounds; the figures are medians of the rounds, and
// medians of the rounds' ratios with the middle half of them. VFIOKIT_VFIO_USER_PEER names a server of the C library: a program
// that serves a path with 1 MiB in BAR0.
//
// Where client and server run decides more than what they do: a message to a sleeping processor waits for it to wake. So all
// servers are kept on one processor, and the client there too, or on another one; never left to the scheduler. On one
// processor what is compared is what the servers do; on two, mostly how long processors take to wake, and what the client
// does while it posts: there the echo says how little anything could take. Where memory happens to lie differs from process to
// process, so there are several generations of them.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, READ, WRITE } from './client.js';
import { calls, processors, runOn } from './system-calls.js';

const GENERATIONS = 3;
const ROUNDS = 9;
/** Rounds before those that count: compilers work beside the servers, on the same processor. */
const WARM_UP = 2;
const MAPPING_ROUNDS = 2;
const WINDOWS = 60_000;
const MILLION = 1_000_000;
const SIZE = 1 << 20;
const MARK = SIZE - 4;

const folder = fileURLToPath(new URL('.', import.meta.url));

/** A server in a process of its own. */
class Server implements Disposable {
  said = '';

  private constructor(
    private readonly child: ChildProcess,
    readonly path: string,
  ) {
    child.stdout?.on('data', (text) => {
      this.said += text;
    });
  }

  static async start(name: string, command: string, ...args: readonly string[]): Promise<Server> {
    const path = join(tmpdir(), `vfiokit-bench-${process.pid}-${name}.sock`);
    rmSync(path, { force: true });
    const [script, ...rest] = args;
    const argv = script === undefined ? [path] : [script, path, ...rest];
    const server = new Server(spawn(command, argv, { stdio: ['ignore', 'pipe', 'inherit'] }), path);
    await until(() => existsSync(path));
    await pause(100);
    return server;
  }

  [Symbol.dispose](): void {
    this.child.kill();
    rmSync(this.path, { force: true });
  }
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function until(done: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !done(); i += 1) await pause(20);
}

/** Microseconds for one of many. */
function time(times: number, run: (i: number) => void): number {
  const start = process.hrtime.bigint();
  for (let i = 0; i < times; i += 1) run(i);
  return Number(process.hrtime.bigint() - start) / 1000 / times;
}

const quantile = (values: readonly number[], part: number) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length * part)]!;

type Measure = (client: Client) => number;

/** Clients, by whose server they are connected to. */
type Clients = ReadonlyMap<string, Client>;

const OURS = 'ours';
const PEER = 'the C server';
const FLOOR = 'a bare echo';

/** Each takes a few milliseconds where client and server share a processor. */
const MEASURES: readonly (readonly [string, Measure])[] = [
  ['read of 4 bytes', (client) => time(1000, () => client.access(READ, 4))],
  ['write of 4 bytes', (client) => time(1000, () => client.access(WRITE, 4))],
  ['posted write, of 1000 and a read', (client) => time(3, () => client.posted(1000)) / 1000],
  ['read, 32 in flight', (client) => time(60, () => client.inFlight(32)) / 32],
  ['read of 64 KiB', (client) => time(60, () => client.access(READ, 1 << 16))],
  ['read of 1 MiB', (client) => time(8, () => client.access(READ, 1 << 20))],
];

/** Measures clients in turns, the other way round in every second round. */
function inTurns(clients: Clients, rounds: number, measure: Measure): Map<string, number[]> {
  const figures = new Map([...clients.keys()].map((side) => [side, [] as number[]]));
  const order = [...clients];
  for (let round = -WARM_UP; round < rounds; round += 1) {
    for (const [side, client] of order) {
      // A server that was quiet for long sleeps deeper.
      time(20, () => client.access(READ, 4));
      const figure = measure(client);
      if (round >= 0) figures.get(side)!.push(figure);
    }
    order.reverse();
  }
  return figures;
}

/** Figures of all rounds so far, a row for what they are of; rows are reported in the order in which they came. */
class Comparisons {
  readonly #rows = new Map<string, { mine: number[]; others: Map<string, number[]> }>();

  /** @param sides the figures of one measure, round by round: ours first. */
  add(what: string, sides: ReadonlyMap<string, readonly number[]>): void {
    const row = this.#rows.get(what) ?? { mine: [], others: new Map<string, number[]>() };
    this.#rows.set(what, row);
    for (const [side, figures] of sides) {
      if (side === OURS) row.mine.push(...figures);
      else row.others.set(side, [...(row.others.get(side) ?? []), ...figures]);
    }
  }

  report(line: (text: string) => void): void {
    const widest = Math.max(...[...this.#rows.keys()].map((what) => what.length));
    for (const [what, { mine, others }] of this.#rows) {
      const than = [...others].map(([side, theirs]) => {
        const ratios = mine.map((one, round) => one / theirs[round]!);
        const [low, middle, high] = [0.25, 0.5, 0.75].map((part) =>
          quantile(ratios, part).toFixed(2),
        );
        return `${middle}x of ${side} (${low} to ${high})`;
      });
      const middle = `${quantile(mine, 0.5).toFixed(2)} µs`;
      line([what.padEnd(widest), middle.padStart(9), ...than].join('  '));
    }
  }
}

/** Maps and unmaps so many windows; microseconds for one map and one unmap. */
function mapping(windows: number, repeat = 1): Measure {
  return (client) => {
    const file: number = calls.memfdCreate('bench', 0);
    calls.ftruncate(file, windows * 4096);
    const both = time(repeat, () => {
      for (let i = 0; i < windows; i += 1) client.map(i, file);
      for (let i = 0; i < windows; i += 1) client.unmap(i);
    });
    calls.close(file);
    return both / windows;
  };
}

/** Garbage collections of a server in a million reads, by itself. */
async function collections(server: Server): Promise<string> {
  const client = new Client(server.path);
  time(50_000, () => client.access(READ, 4));
  client.access(WRITE, 4, MARK);
  time(MILLION, () => client.access(READ, 4));
  client.access(WRITE, 4, MARK);
  client[Symbol.dispose]();
  const before = server.said.length;
  await until(() => server.said.slice(before).includes('collections'));
  return server.said.slice(before).replace('collections', '').trim();
}

/** What is open, to be closed the other way round. */
class Opened {
  readonly #things: Disposable[] = [];

  add<T extends Disposable>(thing: T): T {
    this.#things.push(thing);
    return thing;
  }

  close(): void {
    for (const thing of this.#things.splice(0).reverse()) thing[Symbol.dispose]();
  }
}

export async function bench(report: (line: string) => void): Promise<void> {
  const cpus = processors();
  const comparisons = new Comparisons();
  const garbage: string[] = [];
  for (let i = 0; i < GENERATIONS; i += 1) garbage.push(await generation(cpus, comparisons));
  if (process.env.VFIOKIT_VFIO_USER_PEER === undefined)
    report('without a C server beside it (VFIOKIT_VFIO_USER_PEER): ours and the echo alone');
  comparisons.report(report);
  report(`garbage collections in a million reads: ${garbage.join(', ')}`);
}

/** Starts servers, compares them, and says how often garbage was collected in ours. */
async function generation(cpus: readonly number[], comparisons: Comparisons): Promise<string> {
  const opened = new Opened();
  runOn(cpus.at(-1)!);
  try {
    const node = async (name: string, script: string, ...args: readonly string[]) =>
      opened.add(await Server.start(name, process.execPath, join(folder, script), ...args));
    const ours = await node('ours', 'server.js', '0');
    const spinning = await node('spin', 'server.js', '50');
    const echo = await node('echo', 'echo.js');
    const program = process.env.VFIOKIT_VFIO_USER_PEER;
    const peer =
      program === undefined ? undefined : opened.add(await Server.start('peer', program));
    compare({ ours, spinning, echo, peer }, cpus, comparisons);
    await pause(100);
    return await collections(ours);
  } finally {
    opened.close();
    runOn(...cpus);
  }
}

interface Servers {
  readonly ours: Server;
  readonly spinning: Server;
  readonly echo: Server;
  readonly peer: Server | undefined;
}

function compare(servers: Servers, cpus: readonly number[], comparisons: Comparisons): void {
  const opened = new Opened();
  const connect = ({ path }: Server) => opened.add(new Client(path));
  const ours = connect(servers.ours);
  const quick = connect(servers.spinning);
  const floor = connect(servers.echo);
  const peer: readonly [string, Client][] =
    servers.peer === undefined ? [] : [[PEER, connect(servers.peer)]];
  for (const client of [ours, quick, floor, ...peer.map(([, client]) => client)]) {
    client.fill(SIZE);
    time(60_000, () => client.access(READ, 4));
    time(60_000, () => client.access(WRITE, 4));
    for (const [, measure] of MEASURES) for (let i = 0; i < 10; i += 1) measure(client);
  }

  const sleeping: Clients = new Map([[OURS, ours], ...peer, [FLOOR, floor]]);
  const spinning: Clients = new Map([[OURS, quick], ...peer]);
  const [there, elsewhere] = [cpus.at(-1)!, cpus.at(-2)];
  for (const [where, cpu] of [
    ['one processor', there],
    ['two processors', elsewhere],
  ] as const) {
    if (cpu === undefined) continue;
    runOn(cpu);
    for (const [what, measure] of MEASURES)
      comparisons.add(`${where}: ${what}`, inTurns(sleeping, ROUNDS, measure));
    for (const [what, measure] of MEASURES)
      comparisons.add(`${where}, ours spins: ${what}`, inTurns(spinning, ROUNDS, measure));
  }

  runOn(there);
  const mappers: Clients = new Map([[OURS, ours], ...peer]);
  const many = inTurns(mappers, MAPPING_ROUNDS, mapping(WINDOWS));
  const few = inTurns(new Map([[OURS, ours]]), MAPPING_ROUNDS, mapping(10, 1000)).get(OURS)!;
  comparisons.add('map and unmap of 60,000 windows', many);
  comparisons.add(
    'map and unmap of 60,000 windows, each',
    new Map([
      [OURS, many.get(OURS)!],
      ['one of ten', few],
    ]),
  );
  opened.close();
}
