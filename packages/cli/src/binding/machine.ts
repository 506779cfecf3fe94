import { setTimeout } from 'node:timers/promises';
import {
  Binder,
  describeProcesses,
  FileJournal,
  FileLock,
  findDevice,
  type HostFacts,
  MemoryJournal,
  MemoryLock,
  ModuleIndex,
  NO_LOADER,
  type PlanInput,
  Planner,
  readHost,
  readUsage,
  readVfioUsers,
  registerBinder,
  type TransactionOptions,
} from '@vfiokit/binder';
import { captureMachine, MODPROBE, type OpenedMachine } from '@vfiokit/host';
import { VfioError } from '@vfiokit/uapi';
import { container as root } from 'tsyringe';
import type { MachineChoice } from '../command.js';
import type { Io } from '../io.js';
import { readNamedText } from '../named-file.js';
import { machineOptions, openChosen } from '../variants.js';
import { operatorInterface } from './operator-interface.js';

const LIVE = 'live';
/** As a shell tells of a process that a signal ended. */
const EXIT_BY_SIGNAL = 128;
/** Where the journals of the running machine are: gone with the boot whose state they tell. */
const JOURNALS = '/run/vfiokit';

/** A machine that commands plan and bind on, with everything that was read of it. */
export interface BindingMachine extends OpenedMachine {
  readonly input: PlanInput;
  readonly planner: Planner;
}

/**
 * Opens a machine and reads it.
 *
 * @param aliases the file of another module index, `.gz` or plain.
 * @throws VfioError for a machine or an index that can't be read.
 */
export async function openBinding(
  machine: MachineChoice,
  aliases?: string,
): Promise<BindingMachine> {
  const opened = await openChosen(machine);
  const host = await readHost(opened.sysfs);
  const container = root.createChildContainer();
  registerBinder(container);
  return {
    ...opened,
    planner: container.resolve(Planner),
    input: {
      host,
      index: aliases === undefined ? await machineIndex(opened, host) : readIndex(aliases),
      usage: await readUsage(
        opened.sysfs,
        host,
        machine.name === LIVE ? operatorInterface() : undefined,
      ),
    },
  };
}

/**
 * Opens a model that is made from a captured or running machine: what is bound there is bound on the model only. Its
 * decisions are made with the module index of the machine that it is made from.
 */
export async function openSimulation(
  choice: MachineChoice,
  aliases?: string,
): Promise<BindingMachine> {
  const real = await openBinding(choice, aliases);
  const machine = await captureMachine(real.sysfs, choice.name, {
    ...(await machineOptions(choice.variants)),
    architecture: real.input.host.architecture.value,
  });
  const { sysfs } = machine;
  const host = await readHost(sysfs);
  const usage = await readUsage(sysfs, host);
  return { ...real, sysfs, machine, input: { host, usage, index: real.input.index } };
}

async function machineIndex(
  { sysfs }: OpenedMachine,
  host: HostFacts,
): Promise<ModuleIndex | undefined> {
  return host.release === undefined ? undefined : ModuleIndex.read(sysfs, host.release);
}

/**
 * Reads a `modules.alias` from a file, plain or packed.
 *
 * @throws VfioError for a file that can't be read, `EINVAL` for one of another kind.
 */
export function readIndex(path: string): ModuleIndex {
  const text = readNamedText(path);
  // depmod writes a comment and aliases, nothing else.
  if (text === '' || !text.split('\n').every((line) => /^(?:#|alias |$)/.test(line)))
    throw new VfioError('EINVAL', `${path}: no module index; name a modules.alias`);
  const release = /modules\.alias-(.*?)(?:\.gz)?$/.exec(path)?.[1];
  return ModuleIndex.fromText(text, path, release);
}

/** Carries plans out on a machine: with journals on the disk if it is the running one. */
export function binderFor(opened: BindingMachine, more: Partial<TransactionOptions> = {}): Binder {
  const live = opened.sysfs.kind === 'live';
  const { machine } = opened;
  return new Binder(opened.sysfs, {
    journal: live ? new FileJournal(JOURNALS) : new MemoryJournal(),
    lock: live ? new FileLock(JOURNALS) : new MemoryLock(),
    loader: live
      ? MODPROBE
      : machine === undefined
        ? NO_LOADER
        : {
            load: async (module) => {
              try {
                machine.loadModule(module);
                return undefined;
              } catch (error) {
                if (error instanceof VfioError)
                  return { errno: error.errno, message: error.message };
                throw error;
              }
            },
          },
    creator: `vfiokit, process ${process.pid}`,
    now: () => new Date().toISOString(),
    newId: () => `${Date.now().toString(36)}-${process.pid}`,
    pause: (milliseconds, signal) =>
      setTimeout(milliseconds, undefined, signal === undefined ? {} : { signal }).catch(
        (error: unknown) => {
          if (signal?.aborted !== true) throw error;
        },
      ),
    // By the groups and nodes that there were when the machine was read: a device that is being unbound has none.
    holders: async (device) =>
      (await readVfioUsers(opened.sysfs, opened.input.host))?.users.get(device) ?? [],
    ...more,
  });
}

/** Tells of journals that can't be read; whether there are any. */
export async function warnOfDamage(binder: Binder, io: Io): Promise<boolean> {
  const damaged = await binder.damaged();
  for (const id of damaged)
    io.warn(
      `${JOURNALS}/${id}.journal: damaged; see what is bound with vfiokit status, then remove the file`,
    );
  return damaged.length > 0;
}

/** For transactions that have to wait: says for whom; `leave` ends the waiting, not what is waited for. */
export function onBlocked(io: Io, leave = false): NonNullable<TransactionOptions['onBlocked']> {
  return (device, holders) => {
    io.warn(
      `${device}: is in use by ${describeProcesses(holders)}; its unbind goes on when that lets go`,
    );
    return leave ? 'leave' : 'wait';
  };
}

/** Nothing can be changed on files alone. @throws VfioError `EROFS` with what would help. */
export function refuseCapture({ sysfs, name }: OpenedMachine): void {
  if (sysfs.kind === 'capture')
    throw new VfioError(
      'EROFS',
      `${name}: a capture has no kernel behind it; say --simulate to do it on a model that is made from it`,
    );
}

/**
 * Does work on a machine. Who interrupts it on the running one is told what is left to do: a write that waits for a
 * device's user can't be called back, and everything that was done stands in the journal.
 */
export async function interruptible<T>(
  { sysfs }: OpenedMachine,
  io: Io,
  work: () => Promise<T>,
  signals: Pick<NodeJS.Process, 'once' | 'off' | 'exit'> = process,
): Promise<T> {
  if (sysfs.kind !== 'live') return work();
  const stop = (_: NodeJS.Signals, number: number) => {
    io.warn(
      'interrupted: vfiokit status shows what is unfinished, vfiokit restore --recover takes it back',
    );
    signals.exit(EXIT_BY_SIGNAL + number);
  };
  signals.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    return await work();
  } finally {
    signals.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

/** The devices that a command line names, in the kernel's form. @throws VfioError for one that is not there. */
export function namedDevices(opened: BindingMachine, words: readonly string[]): readonly string[] {
  return words.map((word) => findDevice(opened.input.host, word).name);
}

/** The option of commands that change a machine. */
export const SIMULATE_OPTION = {
  type: 'boolean',
  description: 'Carry it out on a model that is made from the machine, and leave the machine alone',
} as const;

/** The option of commands that would wait for a device's user. */
export const WAIT_OPTION = {
  type: 'boolean',
  description: 'Unbind a device that is in use all the same, and wait until it is let go',
} as const;
