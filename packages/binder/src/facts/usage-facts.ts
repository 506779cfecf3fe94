import { readText, type Sysfs } from '@vfiokit/driver-model';
import { PciAddress } from '@vfiokit/pci';

/** What a machine needs to go on running, by the functions that carry it. */
export interface UsageFacts {
  /** Functions behind the root file system. */
  readonly root: ReadonlySet<string>;
  /** Functions behind network interfaces that carry a default route or the operator's connection. */
  readonly network: ReadonlyMap<string, string>;
  /** Processes that have a function's VFIO device, or its group, open. */
  readonly users: ReadonlyMap<string, readonly Process[]>;
  /** What could not be looked at. */
  readonly unobserved: readonly string[];
}

export interface Process {
  readonly pid: number;
  readonly command: string;
}

/** Looks for what a machine can't do without. @param interface_ the interface that the operator comes in by, if known. */
export async function readUsage(
  sysfs: Sysfs,
  groups: ReadonlyMap<string, readonly string[]>,
  interface_?: string,
): Promise<UsageFacts> {
  const unobserved: string[] = [];
  const root = await rootFunctions(sysfs);
  if (root === undefined) unobserved.push('what carries the root file system (/proc/mounts)');
  const network = await networkFunctions(sysfs, interface_);
  if (network === undefined) unobserved.push('what carries the default route (/proc/net/route)');
  const users = await vfioUsers(sysfs, groups);
  if (users === undefined) unobserved.push('which processes have VFIO devices open (/proc/*/fd)');
  return {
    root: root ?? new Set(),
    network: network ?? new Map(),
    users: users ?? new Map(),
    unobserved,
  };
}

/** Every PCI function in the path that a link of sysfs leads to, the nearest last. */
function functionsIn(path: string): readonly string[] {
  return path.split('/').filter((part) => PciAddress.tryParse(part)?.toString() === part);
}

async function rootFunctions(sysfs: Sysfs): Promise<ReadonlySet<string> | undefined> {
  const mounts = await readText(sysfs, '/proc/mounts');
  const own = typeof mounts === 'string' ? mounts : await readText(sysfs, '/proc/self/mounts');
  if (typeof own === 'number') return undefined;
  const source = own
    .split('\n')
    .map((line) => line.split(' '))
    .find(([, where]) => where === '/')?.[0];
  const found = new Set<string>();
  if (source?.startsWith('/dev/'))
    await addBlockFunctions(sysfs, source.slice('/dev/'.length), found, 0);
  return found;
}

/** A block device's function, or those of the devices that it is made of. */
async function addBlockFunctions(
  sysfs: Sysfs,
  name: string,
  found: Set<string>,
  depth: number,
): Promise<void> {
  if (depth > 8) return;
  const block = await blockName(sysfs, name);
  const target = await sysfs.readLink(`/sys/class/block/${block}`);
  const path = typeof target === 'string' ? target : await sysfs.readLink(`/sys/block/${block}`);
  if (typeof path === 'number') return;
  for (const device of functionsIn(path).slice(-1)) found.add(device);
  const slaves = await sysfs.list(`/sys/class/block/${block}/slaves`);
  for (const slave of typeof slaves === 'number' ? [] : slaves)
    await addBlockFunctions(sysfs, slave, found, depth + 1);
}

/** `/dev/mapper/vg-root` has another name in sysfs: the device whose `dm/name` it is. */
async function blockName(sysfs: Sysfs, name: string): Promise<string> {
  if (!name.startsWith('mapper/')) return name;
  const blocks = await sysfs.list('/sys/block');
  for (const block of typeof blocks === 'number' ? [] : blocks) {
    if (!block.startsWith('dm-')) continue;
    const text = await readText(sysfs, `/sys/block/${block}/dm/name`);
    if (typeof text === 'string' && text.trim() === name.slice('mapper/'.length)) return block;
  }
  return name;
}

async function networkFunctions(
  sysfs: Sysfs,
  interface_: string | undefined,
): Promise<ReadonlyMap<string, string> | undefined> {
  const routes = await readText(sysfs, '/proc/net/route');
  if (typeof routes === 'number' && interface_ === undefined) return undefined;
  const lines = typeof routes === 'number' ? [] : routes.split('\n').slice(1);
  const names = lines
    .map((line) => line.split('\t'))
    .filter(([, destination]) => destination === '00000000')
    .map(([name]) => name!);
  const found = new Map<string, string>();
  for (const name of new Set([...names, ...(interface_ === undefined ? [] : [interface_])])) {
    const target = await sysfs.readLink(`/sys/class/net/${name}`);
    if (typeof target === 'number') continue;
    for (const device of functionsIn(target).slice(-1)) found.set(device, name);
  }
  return found;
}

/** Newer kernels tell the device of a descriptor; of older ones only the node is known, which is the group's. */
async function vfioUsers(
  sysfs: Sysfs,
  groups: ReadonlyMap<string, readonly string[]>,
): Promise<ReadonlyMap<string, readonly Process[]> | undefined> {
  const entries = await sysfs.list('/proc');
  const pids = typeof entries === 'number' ? [] : entries.filter((name) => /^\d+$/.test(name));
  if (pids.length === 0) return undefined;
  const users = new Map<string, Process[]>();
  for (const pid of pids) {
    const fds = await sysfs.list(`/proc/${pid}/fd`);
    for (const fd of typeof fds === 'number' ? [] : fds) {
      const target = await sysfs.readLink(`/proc/${pid}/fd/${fd}`);
      if (typeof target === 'number' || !/vfio/.test(target)) continue;
      for (const device of await devicesOf(sysfs, pid, fd, target, groups)) {
        const comm = await readText(sysfs, `/proc/${pid}/comm`);
        const process = { pid: Number(pid), command: typeof comm === 'string' ? comm.trim() : '?' };
        const known = users.get(device) ?? [];
        if (!known.some((one) => one.pid === process.pid)) users.set(device, [...known, process]);
      }
    }
  }
  return users;
}

async function devicesOf(
  sysfs: Sysfs,
  pid: string,
  fd: string,
  target: string,
  groups: ReadonlyMap<string, readonly string[]>,
): Promise<readonly string[]> {
  const info = await readText(sysfs, `/proc/${pid}/fdinfo/${fd}`);
  const path =
    typeof info === 'string' ? /^vfio-device-syspath:\s*(.*)$/m.exec(info)?.[1] : undefined;
  if (path !== undefined) return functionsIn(path).slice(-1);
  const group = /^\/dev\/vfio\/(?:noiommu-)?(\d+)$/.exec(target)?.[1];
  return group === undefined ? [] : (groups.get(group) ?? []);
}
