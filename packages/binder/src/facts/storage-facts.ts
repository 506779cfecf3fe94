import { readText, type Sysfs } from '@vfiokit/driver-model';
import { functionsIn } from './functions-in.js';

/** What the machine's storage needs of its functions. */
export interface StorageFacts {
  /** Functions behind the root file system. */
  readonly root: ReadonlySet<string>;
  /** What carries the root file system, where that could not be followed to functions. */
  readonly untracedRoot: string | undefined;
  /** Where other file systems are mounted, by the functions behind them. */
  readonly mounts: ReadonlyMap<string, readonly string[]>;
  /** Functions that carry any block device. */
  readonly disks: ReadonlySet<string>;
}

/** Devices that are made of others lie under each other: a file system on LUKS on LVM on RAID. */
const MAX_DEPTH = 8;
/** File systems whose source is the name of a pool of disks. */
const POOLED: ReadonlySet<string> = new Set(['zfs', 'bcachefs']);

/** Follows mounted file systems to the functions that carry them; undefined where the mounts can't be read. */
export async function readStorage(sysfs: Sysfs): Promise<StorageFacts | undefined> {
  const mounts = await readText(sysfs, '/proc/mounts');
  const text = typeof mounts === 'string' ? mounts : await readText(sysfs, '/proc/self/mounts');
  if (typeof text === 'number') return undefined;
  const disks = await readDisks(sysfs);
  const byFunction = new Map<string, string[]>();
  const root = new Set<string>();
  let untracedRoot: string | undefined;
  const traced = new Map<string, ReadonlySet<string>>();
  for (const line of text.split('\n')) {
    const [source = '', where = '', type = ''] = line.split(' ');
    if (!source.startsWith('/dev/') && !POOLED.has(type)) continue;
    const functions = traced.get(source) ?? (await functionsBehind(sysfs, source));
    traced.set(source, functions);
    if (where === '/' && functions.size === 0) untracedRoot = source;
    for (const name of functions)
      if (where === '/') root.add(name);
      else byFunction.set(name, [...(byFunction.get(name) ?? []), where]);
  }
  return { root, untracedRoot, mounts: byFunction, disks };
}

async function readDisks(sysfs: Sysfs): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  const blocks = await sysfs.list('/sys/block');
  const names = typeof blocks === 'number' ? await sysfs.list('/sys/class/block') : blocks;
  for (const name of typeof names === 'number' ? [] : names)
    for (const device of functionsIn((await blockPath(sysfs, name)) ?? '')) found.add(device);
  return found;
}

async function functionsBehind(sysfs: Sysfs, source: string): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  await addBlockFunctions(sysfs, source.replace(/^\/dev\//, ''), found, 0);
  return found;
}

/** A block device's function, or those of the devices that it is made of. */
async function addBlockFunctions(
  sysfs: Sysfs,
  name: string,
  found: Set<string>,
  depth: number,
): Promise<void> {
  if (depth > MAX_DEPTH) return;
  const block = await blockName(sysfs, name);
  const path = await blockPath(sysfs, block);
  if (path === undefined) return;
  // A controller whose driver makes a bus of its own (VMD) takes what is on that bus along.
  for (const device of functionsIn(path)) found.add(device);
  const slaves = await sysfs.list(`/sys/class/block/${block}/slaves`);
  const parts =
    typeof slaves === 'number' ? await sysfs.list(`/sys/block/${block}/slaves`) : slaves;
  for (const part of typeof parts === 'number' ? [] : parts)
    await addBlockFunctions(sysfs, part, found, depth + 1);
}

async function blockPath(sysfs: Sysfs, block: string): Promise<string | undefined> {
  for (const folder of ['/sys/class/block', '/sys/block']) {
    const target = await sysfs.readLink(`${folder}/${block}`);
    if (typeof target === 'string') return target;
  }
  return undefined;
}

/** `/dev/mapper/vg-root` has another name in sysfs: the device whose `dm/name` it is. */
async function blockName(sysfs: Sysfs, name: string): Promise<string> {
  if (!name.startsWith('mapper/')) return name;
  const blocks = await sysfs.list('/sys/block');
  const names = typeof blocks === 'number' ? await sysfs.list('/sys/class/block') : blocks;
  for (const block of typeof names === 'number' ? [] : names) {
    if (!block.startsWith('dm-')) continue;
    for (const folder of ['/sys/block', '/sys/class/block']) {
      const text = await readText(sysfs, `${folder}/${block}/dm/name`);
      if (typeof text === 'string' && text.trim() === name.slice('mapper/'.length)) return block;
    }
  }
  return name;
}
