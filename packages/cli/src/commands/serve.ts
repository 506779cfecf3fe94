import type { Target } from '@vfiokit/binder';
import type { DeviceUser, Machine } from '@vfiokit/host';
import { VfioError } from '@vfiokit/uapi';
import { ClientMemory, openTransport, type ServerEvent, VfioUserServer } from '@vfiokit/vfio-user';
import { type BindingMachine, binderFor, namedDevices, openBinding } from '../binding/machine.js';
import { planOptions } from '../binding/plan-options.js';
import { command, EXIT_NO, EXIT_OK, UsageError } from '../command.js';
import type { Io } from '../io.js';
import { mappableBars } from '../serve/mappable-bars.js';
import { TraceLog } from '../serve/trace-log.js';

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
      description: 'Log every message to a file',
      valueHint: 'FILE',
    },
    spin: {
      type: 'string',
      description: 'Microseconds to look for the next message before sleeping; 50 unless given',
      valueHint: 'N',
    },
    untrusted: {
      type: 'boolean',
      description: 'Map only guest memory that is sealed against shrinking',
    },
  },
  variadic: true,
  async run({ args, machine: choice, io }) {
    const spin = Number(args.spin ?? 50);
    if (!Number.isFinite(spin) || spin < 0)
      throw new UsageError(`--spin ${args.spin}: a number of microseconds is wanted`);
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
    const log =
      args.trace === undefined ? undefined : TraceLog.open(args.trace, (text) => io.warn(text));
    try {
      if (!(await bindAll(opened, devices, io))) return EXIT_NO;
      await serveUntilInterrupted({ machine, devices, socket: args.socket, transport, log, io });
    } finally {
      await log?.close();
    }
    return EXIT_OK;
  },
});

interface Serving {
  readonly machine: Machine;
  readonly devices: readonly string[];
  /** Where the first device is served; the others get .1, .2 … */
  readonly socket: string;
  readonly transport: Awaited<ReturnType<typeof openTransport>>;
  readonly log: TraceLog | undefined;
  readonly io: Io;
}

async function serveUntilInterrupted(serving: Serving): Promise<void> {
  const { devices, socket, io } = serving;
  const opened: Disposable[] = [];
  try {
    for (const [index, device] of devices.entries())
      await serveOne(serving, device, index === 0 ? socket : `${socket}.${index}`, opened);
    const signal = await interrupted();
    io.warn(`serve: ${signal}: closing`);
  } finally {
    for (const one of opened.reverse()) one[Symbol.dispose]();
  }
}

/** Opens a device and serves it at a path; what is to be disposed of is added to `opened`. */
async function serveOne(
  { machine, transport, log, io }: Serving,
  device: string,
  path: string,
  opened: Disposable[],
): Promise<void> {
  const user = open(machine, device);
  opened.push(user);
  const silicon = machine.function(device).function;
  const memory = new ClientMemory();
  silicon.dma = memory;
  const mappable = mappableBars(silicon, transport);
  opened.push(
    await VfioUserServer.listen({
      device: user.device,
      process: user.process,
      transport,
      path,
      memory,
      mappable,
      ...(log && { trace: log.of(device) }),
      onEvent: (event) => tell(io, device, event),
    }),
  );
  io.print(`${device}: at ${path}; QEMU 11.1 or newer takes it with`);
  for (const line of qemuArguments(path)) io.print(`  ${line}`);
  if (mappable.size > 0) io.print(`  guests map ${barNames(mappable)} directly`);
}

const barNames = (bars: ReadonlyMap<number, unknown>) =>
  [...bars.keys()].map((index) => `BAR ${index}`).join(', ');

/** What QEMU's command line has to have; its memory is shared, so that the device reaches it without asking. */
export function qemuArguments(path: string): readonly string[] {
  const device = { driver: 'vfio-user-pci', socket: { type: 'unix', path } };
  return [
    '-object memory-backend-memfd,id=ram,size=1G,share=on -m 1G -machine q35,memory-backend=ram',
    `-device '${JSON.stringify(device)}'`,
  ];
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
  for (const { message } of result.failures) io.warn(message);
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

/** Which signal asks for an end. */
function interrupted(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => resolve(signal));
  });
}
