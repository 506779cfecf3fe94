import 'reflect-metadata';
import {
  Binder,
  FileJournal,
  type HostFacts,
  type JournalStore,
  MemoryJournal,
  MemoryLock,
  ModuleIndex,
  type PlanInput,
  Planner,
  readHost,
  readUsage,
  registerBinder,
  type Target,
  type TransactionOptions,
} from '@vfiokit/binder';
import type { Sysfs } from '@vfiokit/driver-model';
import {
  Machine,
  type MachineDescription,
  type MachineOptions,
  shippedMachine,
} from '@vfiokit/host';
import { VfioError } from '@vfiokit/uapi';
import { container as root } from 'tsyringe';

export { FileJournal };

export const A = '0000:01:00.0';
export const B = '0000:0a:00.0';
export const P = '0000:03:00.0';
export const V = '0000:03:00.1';
export const W = '0000:03:00.2';
export const G = '0000:04:00.0';
export const H = '0000:04:00.1';
export const R = '0000:00:01.0';
export const X = '0000:05:00.0';

const MLX5 = { name: 'mlx5_vfio_pci', ids: [{ vendor: 0x15b3, device: 0x101e }] };

/** One line for every id of the reference's table 2.2, in its order. */
export const IX1 = `# Aliases extracted from modules themselves.
alias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci
alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_vfio_pci
alias vfio_pci:v000019E5d0000A251sv*sd*bc*sc*i* hisi_acc_vfio_pci
alias vfio_pci:v00001DD8d00001003sv*sd*bc*sc*i* pds_vfio_pci
alias vfio_pci:v00001AF4d00001041sv*sd*bc*sc*i* virtio_vfio_pci
alias vfio_pci:v000010DEd00002342sv*sd*bc*sc*i* nvgrace_gpu_vfio_pci
alias vfio_pci:v00008086d00004941sv*sd*bc*sc*i* qat_vfio_pci
alias vfio_pci:v00008086d0000B080sv*sd*bc*sc*i* xe_vfio_pci
alias vfio_pci:v00001014d000004EDsv*sd*bc*sc*i* ism_vfio_pci
alias pci:v00008086d000010D3sv*sd*bc*sc*i* e1000e
`;

/** Only the catch-all. */
export const IX2 = `# Aliases extracted from modules themselves.
alias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci
`;

export function planner(): Planner {
  const container = root.createChildContainer();
  registerBinder(container);
  return container.resolve(Planner);
}

/** The machine of the binding reference, section 7.0, and everything that binds on it. */
export function testbed(
  options: MachineOptions & { description?: Partial<MachineDescription> } = {},
) {
  const { description, ...rest } = options;
  const machine = new Machine(
    { ...shippedMachine('testbed'), ...description },
    { vfioDrivers: [MLX5], ...rest },
  );
  return { machine, ...onSysfs(machine.sysfs, machine) };
}

/** Planning and binding on any tree. */
export function onSysfs(sysfs: Sysfs, machine?: Machine) {
  const journal = new MemoryJournal();
  const bus = '/sys/bus/pci';
  const text = async (path: string) => {
    const bytes = await sysfs.read(path);
    return typeof bytes === 'number' ? bytes : new TextDecoder().decode(bytes);
  };
  const input = async (index: string = IX1): Promise<PlanInput> => {
    const host = await readHost(sysfs);
    return {
      host,
      index: ModuleIndex.fromText(index, 'modules.alias', host.release),
      usage: await readUsage(sysfs, host),
    };
  };
  const live = async (name: string) => {
    const link = await sysfs.readLink(`${bus}/devices/${name}/driver`);
    const override = String(await text(`${bus}/devices/${name}/driver_override`)).trim();
    return {
      driver: typeof link === 'number' ? null : link.slice(link.lastIndexOf('/') + 1),
      override: override === '(null)' ? null : override,
    };
  };
  const target = async (
    device: string,
    driver: string | null,
    more: Partial<Target> = {},
  ): Promise<Target> => ({
    device,
    driver,
    before: await live(device),
    ...more,
  });
  return {
    sysfs,
    journal,
    text,
    input,
    live,
    target,
    write: (path: string, data: string) => sysfs.write(`${bus}/${path}`, data),
    facts: (): Promise<HostFacts> => readHost(sysfs),
    binder: (more: Partial<TransactionOptions> = {}, onTree: Sysfs = sysfs) =>
      new Binder(onTree, { ...binderOptions(journal, machine), ...more }),
  };
}

let counter = 0;

export function binderOptions(journal: JournalStore, machine?: Machine): TransactionOptions {
  return {
    journal,
    lock: new MemoryLock(),
    loader: {
      load: async (module) => {
        try {
          machine?.loadModule(module);
          return undefined;
        } catch (error) {
          if (error instanceof VfioError) return { errno: error.errno, message: error.message };
          throw error;
        }
      },
    },
    creator: 'test',
    now: () => '2026-01-01T00:00:00.000Z',
    newId: () => {
      counter += 1;
      return `t${String(counter).padStart(6, '0')}`;
    },
    // Nothing is waited for: an unbind counts as blocked when everything that can run has run.
    pause: async () => {
      for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
    },
    holders: async (device) => {
      if (machine === undefined) return [];
      const host = await readHost(machine.sysfs);
      return (await readUsage(machine.sysfs, host)).users.get(device) ?? [];
    },
  };
}

/** A tree whose writes are noted, and may be answered by somebody else first. */
export function spied(
  sysfs: Sysfs,
  answer: (path: string, data: string) => number | undefined | Promise<number | undefined> = () =>
    undefined,
) {
  const writes: string[] = [];
  const tree: Sysfs = {
    kind: sysfs.kind,
    read: (path) => sysfs.read(path),
    list: (path) => sysfs.list(path),
    readLink: (path) => sysfs.readLink(path),
    write: async (path, data) => {
      writes.push(`${path.replace('/sys/bus/pci/', '')} ${JSON.stringify(String(data))}`);
      return (await answer(path, String(data))) ?? sysfs.write(path, data);
    },
  };
  return { tree, writes };
}

/** A tree with some files changed: text, or a negated errno. */
export function changed(sysfs: Sysfs, files: Readonly<Record<string, string | number>>): Sysfs {
  return {
    kind: sysfs.kind,
    list: (path) => sysfs.list(path),
    readLink: (path) => sysfs.readLink(path),
    write: (path, data) => sysfs.write(path, data),
    read: async (path) => {
      const answer = files[path];
      if (answer === undefined) return sysfs.read(path);
      return typeof answer === 'number' ? answer : new TextEncoder().encode(answer);
    },
  };
}
