import { readText, type Sysfs } from '@vfiokit/driver-model';
import { EACCES } from '@vfiokit/uapi';
import { functionsIn } from './functions-in.js';
import type { HostFacts } from './host-facts.js';

/** A process that has a VFIO device open. */
export interface Process {
  readonly pid: number;
  /** As `/proc/PID/comm` says: at most 15 characters. */
  readonly command: string;
  /** The virtual machine that it runs, where its command line names one. */
  readonly guest?: string;
}

/** `process 4200 (qemu-system-x86, guest web1)`. */
export function describeProcess({ pid, command, guest }: Process): string {
  return `process ${pid} (${command}${guest === undefined ? '' : `, guest ${guest}`})`;
}

/** Several processes as a part of a sentence. */
export function describeProcesses(processes: readonly Process[]): string {
  return processes.length === 0
    ? 'somebody who could not be seen'
    : processes.map(describeProcess).join(', ');
}

/** Who has what open, as far as `/proc` lets itself be read. */
export interface VfioUsers {
  /** By function. */
  readonly users: ReadonlyMap<string, readonly Process[]>;
  /** Processes whose descriptors nobody showed us. */
  readonly hidden: number;
}

/** What tells a function by the name of a node: the groups and the VFIO devices that there were when it was looked at. */
export type NodeOwners = Pick<HostFacts, 'groups' | 'devices'>;

/**
 * The processes that have a function's VFIO device, or its group, open. Newer kernels tell the function of a descriptor
 * (vfio_main.c: vfio_device_show_fdinfo); of older ones only the node is known, which is the group's, or the device's own.
 *
 * @param owners facts from before an unbind began: while it waits, a device has no node any more.
 * @returns undefined where `/proc` shows no processes.
 */
export async function readVfioUsers(
  sysfs: Sysfs,
  owners: NodeOwners,
): Promise<VfioUsers | undefined> {
  const entries = await sysfs.list('/proc');
  const pids = typeof entries === 'number' ? [] : entries.filter((name) => /^\d+$/.test(name));
  if (pids.length === 0) return undefined;
  const users = new Map<string, Process[]>();
  let hidden = 0;
  for (const pid of pids) {
    const fds = await sysfs.list(`/proc/${pid}/fd`);
    if (fds === -EACCES) hidden += 1;
    const open = typeof fds === 'number' ? [] : fds;
    // Processes may have thousands of descriptors: their links are read at once, not one after the other.
    const targets = await Promise.all(open.map((fd) => sysfs.readLink(`/proc/${pid}/fd/${fd}`)));
    const devices = new Set<string>();
    for (const [at, fd] of open.entries()) {
      const target = targets[at]!;
      if (typeof target === 'number' || !target.includes('vfio')) continue;
      for (const device of await devicesOf(sysfs, pid, fd, target, owners)) devices.add(device);
    }
    if (devices.size === 0) continue;
    const process = await readProcess(sysfs, pid);
    for (const device of devices) users.set(device, [...(users.get(device) ?? []), process]);
  }
  return { users, hidden };
}

async function devicesOf(
  sysfs: Sysfs,
  pid: string,
  fd: string,
  target: string,
  { groups, devices }: NodeOwners,
): Promise<readonly string[]> {
  const info = await readText(sysfs, `/proc/${pid}/fdinfo/${fd}`);
  const path =
    typeof info === 'string' ? /^vfio-device-syspath:\s*(.*)$/m.exec(info)?.[1] : undefined;
  if (path !== undefined) return functionsIn(path).slice(-1);
  // A node that is gone while its file is open reads as `/dev/vfio/11 (deleted)`.
  const node = target.replace(/ \(deleted\)$/, '');
  const group = /\/dev\/vfio\/(?:noiommu-)?(\d+)$/.exec(node)?.[1];
  if (group !== undefined) return groups.get(group) ?? [];
  const own = /\/dev\/vfio\/devices\/(vfio\d+)$/.exec(node)?.[1];
  if (own === undefined) return [];
  return [...devices.values()]
    .filter(({ vfioDevices }) => vfioDevices.includes(own))
    .map(({ name }) => name);
}

async function readProcess(sysfs: Sysfs, pid: string): Promise<Process> {
  const comm = await readText(sysfs, `/proc/${pid}/comm`);
  const words = await readText(sysfs, `/proc/${pid}/cmdline`);
  const guest = typeof words === 'string' ? guestName(words.split('\0')) : undefined;
  return {
    pid: Number(pid),
    command: typeof comm === 'string' ? comm.trim() : '?',
    ...(guest === undefined ? {} : { guest }),
  };
}

/** What a monitor's `-name` says: `web1`, or `guest=web1,debug-threads=on`. */
function guestName(words: readonly string[]): string | undefined {
  const at = words.indexOf('-name');
  const value = at < 0 ? undefined : words[at + 1];
  const named = /(?:^|,)guest=([^,]+)/.exec(value ?? '')?.[1] ?? value?.split(',')[0];
  return named === '' ? undefined : named;
}
