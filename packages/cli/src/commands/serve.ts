import { resolve } from 'node:path';
import type { Target } from '@vfiokit/binder';
import type { DeviceUser, Machine } from '@vfiokit/host';
import { VfioError } from '@vfiokit/uapi';
import { ClientMemory, openTransport, type ServerEvent, VfioUserServer } from '@vfiokit/vfio-user';
import { type BindingMachine, binderFor, namedDevices, openBinding } from '../binding/machine.js';
import { planOptions } from '../binding/plan-options.js';
import { reportFailures } from '../binding/report.js';
import { command, EXIT_NO, EXIT_OK, JSON_OPTION, UsageError } from '../command.js';
import type { Io } from '../io.js';
import { mappableBars } from '../serve/mappable-bars.js';
import { TraceLog } from '../serve/trace-log.js';

/** More would keep the event loop, and signals, waiting. */
const MOST_SPIN = 10_000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Serves devices of a modelled machine to virtual machine monitors. */
export const serve = command({
  name: 'serve',
  summary: "serve a modelled machine's device to QEMU over a vfio-user socket",
  examples: [
    '--machine x86-server serve 0000:65:00.0 --socket /tmp/gpu.sock',
    '--machine x86-laptop serve 0000:00:02.0 --socket /tmp/igd.sock --trace igd.log',
  ],
  args: {
    device: { type: 'positional', required: true, description: 'Addresses, such as 0000:00:02.0' },
    socket: {
      type: 'string',
      required: true,
      description: 'Where the socket is made; further devices get .1, .2 …',
      valueHint: 'PATH',
    },
    trace: {
      type: 'string',
      description: 'Log every message to a file; to rotate it, copy and truncate it',
      valueHint: 'FILE',
    },
    spin: {
      type: 'string',
      description: 'Microseconds to look for the next message before sleeping; 50 unless given',
      valueHint: 'N',
    },
    untrusted: {
      type: 'boolean',
      description: 'Map only guest memory that is sealed against shrinking; signal no full eventfd',
    },
    json: JSON_OPTION,
  },
  variadic: true,
  async run({ args, machine: choice, io }) {
    if (args.socket === '')
      throw new UsageError('--socket: an empty path; name one for the socket');
    const spin = Number(args.spin ?? 50);
    if (args.spin === '' || !(spin >= 0 && spin <= MOST_SPIN))
      throw new UsageError(`--spin ${args.spin}: microseconds are wanted, 0 to ${MOST_SPIN}`);
    const opened = await openBinding(choice);
    const { machine } = opened;
    if (machine === undefined)
      throw new UsageError(
        `${choice.name}: only devices of a modelled machine can be served; name one with --machine`,
      );
    const devices = namedDevices(opened, args._);
    const twice = devices.find((device, index) => devices.indexOf(device) !== index);
    if (twice !== undefined) throw new UsageError(`${twice}: named twice; one socket serves it`);
    const transport = await openTransport({ spin, trusted: !args.untrusted });
    if (!transport.passesDescriptors) io.warn(`serve: ${transport.description}`);
    if (!(await bindAll(opened, devices, io))) return EXIT_NO;
    const { socket, trace, json = false } = args;
    const log =
      trace === undefined ? undefined : TraceLog.open(trace, (message) => io.warn(message));
    try {
      const serving = { machine, devices, socket, transport, log, json, io };
      return (await serveUntilInterrupted(serving)) ? EXIT_OK : EXIT_NO;
    } finally {
      log?.[Symbol.dispose]();
    }
  },
});

interface Serving {
  readonly machine: Machine;
  readonly devices: readonly string[];
  /** Where the first device is served; the others get .1, .2 … */
  readonly socket: string;
  readonly transport: Awaited<ReturnType<typeof openTransport>>;
  readonly log: TraceLog | undefined;
  readonly json: boolean;
  readonly io: Io;
}

/** False if something could not be closed. */
async function serveUntilInterrupted(serving: Serving): Promise<boolean> {
  const { devices, socket, json, io } = serving;
  const opened: Disposable[] = [];
  const close = () => closeAll(opened, io);
  // A socket must not stay behind, however the process ends.
  process.once('exit', close);
  const interruption = new Interruption();
  let closed = false;
  try {
    const served: ServedDevice[] = [];
    for (const [index, device] of devices.entries()) {
      const path = index === 0 ? socket : `${socket}.${index}`;
      served.push(await serveOne(serving, device, path, opened));
    }
    if (json) io.json({ qemu: QEMU_MEMORY, devices: served });
    else for (const one of served) describe(one, io);
    io.warn(`serve: ${await interruption.signal}: closing`);
  } finally {
    interruption[Symbol.dispose]();
    process.off('exit', close);
    closed = close();
  }
  return closed;
}

/** Closes what was opened, last first, and all of it: false if something refused. */
function closeAll(opened: Disposable[], io: Io): boolean {
  let closed = true;
  for (const one of opened.splice(0).reverse())
    try {
      one[Symbol.dispose]();
    } catch (error) {
      if (!(error instanceof VfioError)) throw error;
      io.warn(error.message);
      closed = false;
    }
  return closed;
}

/** A device and where it is; what `--json` prints of it. */
interface ServedDevice {
  readonly device: string;
  readonly socket: string;
  /** Regions that guests map. */
  readonly mappable: readonly number[];
  /** What QEMU's command line has to have for it. */
  readonly qemu: readonly string[];
}

/** Opens a device and serves it at a path; what is to be disposed of is added to `opened`. */
async function serveOne(
  { machine, transport, log, io }: Serving,
  device: string,
  path: string,
  opened: Disposable[],
): Promise<ServedDevice> {
  const user = open(machine, device);
  opened.push(user);
  const silicon = machine.function(device).function;
  const memory = new ClientMemory();
  silicon.dma = memory;
  const mappable = mappableBars(silicon, transport);
  const server = await VfioUserServer.listen({
    device: user.device,
    process: user.process,
    transport,
    path,
    memory,
    mappable,
    ...(log && { trace: log.of(device) }),
    onEvent: (event) => tell(io, device, event),
  });
  opened.push(server);
  return { device, socket: path, mappable: server.mappable, qemu: qemuDevice(path) };
}

function describe({ device, socket, mappable, qemu }: ServedDevice, io: Io): void {
  io.print(`${device}: at ${socket}; QEMU 11.1 or newer takes it with`);
  for (const words of [QEMU_MEMORY, qemu]) io.print(`  ${words.map(quoted).join(' ')}`);
  const bars = mappable.map((index) => `BAR ${index}`).join(', ');
  if (bars !== '') io.print(`  guests map ${bars} directly`);
}

/** A word as a shell takes it. */
const quoted = (word: string) =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** QEMU's memory is shared, so that a device reaches it without asking. */
const QEMU_MEMORY = [
  ...['-object', 'memory-backend-memfd,id=ram,size=1G,share=on'],
  ...['-m', '1G', '-machine', 'q35,memory-backend=ram'],
] as const;

/** What makes QEMU, wherever it is started, attach the device at a path. */
function qemuDevice(path: string): readonly string[] {
  const device = { driver: 'vfio-user-pci', socket: { type: 'unix', path: resolve(path) } };
  return ['-device', JSON.stringify(device)];
}

/** Binds devices, with their groups, to the drivers that a plan gives them; false if one is refused. */
async function bindAll(
  opened: BindingMachine,
  devices: readonly string[],
  io: Io,
): Promise<boolean> {
  const decisions = devices.map((device) =>
    // The machine is a model of this process: no console and no root file system of anybody's is on it.
    opened.planner.plan(device, opened.input, planOptions({ group: true, force: true })),
  );
  const refusals = decisions.flatMap(({ refusal }) => refusal ?? []);
  for (const refusal of refusals) io.warn(refusal);
  if (refusals.length > 0) return false;
  const targets = new Map<string, Target>(
    decisions.flatMap((one) => one.targets.map((target) => [target.device, target] as const)),
  );
  if (targets.size === 0) return true;
  const result = await binderFor(opened).bind([...targets.values()]);
  reportFailures(io, result.failures, opened.machine);
  return result.failures.length === 0;
}

function open(machine: Machine, device: string): DeviceUser {
  try {
    return machine.open(device, 'vfiokit');
  } catch (error) {
    if (!(error instanceof VfioError)) throw error;
    throw new VfioError(error.code, `${device}: can't be opened: ${error.message}`, {
      cause: error,
    });
  }
}

function tell(io: Io, device: string, event: ServerEvent): void {
  if (event.kind === 'migration')
    io.progress(`${device}: ${event.state}, ${event.bytes} bytes moved`);
  else if (event.kind === 'failure') io.warn(`${device}: the model failed: ${event.error}`);
  else io.warn(`${device}: client ${event.kind}`);
}

/** Waits for a signal that asks for an end; a terminal that is closed sends SIGHUP. */
class Interruption implements Disposable {
  readonly signal: Promise<NodeJS.Signals>;
  #listener: (signal: NodeJS.Signals) => void = () => {};

  constructor() {
    this.signal = new Promise((resolve) => {
      this.#listener = resolve;
    });
    for (const signal of SIGNALS) process.once(signal, this.#listener);
  }

  [Symbol.dispose](): void {
    for (const signal of SIGNALS) process.off(signal, this.#listener);
  }
}
