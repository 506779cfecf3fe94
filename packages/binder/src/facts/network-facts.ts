import { readText, type Sysfs } from '@vfiokit/driver-model';
import { functionsIn } from './functions-in.js';

/** Interfaces that are made of others lie on each other: a bridge on a VLAN on a bond. */
const MAX_DEPTH = 8;

/**
 * Functions behind the interfaces over which the machine is reached, with the interface that says so: those of default
 * routes, and the one that the operator comes in by. undefined where no routes can be read.
 */
export async function readNetwork(
  sysfs: Sysfs,
  operatorInterface: string | undefined,
): Promise<ReadonlyMap<string, string> | undefined> {
  const routes = await readText(sysfs, '/proc/net/route');
  const routes6 = await readText(sysfs, '/proc/net/ipv6_route');
  if (typeof routes === 'number' && operatorInterface === undefined) return undefined;
  const names = new Set([
    ...(typeof routes === 'number' ? [] : defaultRoutes(routes)),
    ...(typeof routes6 === 'number' ? [] : defaultRoutes6(routes6)),
    ...(operatorInterface === undefined ? [] : [operatorInterface]),
  ]);
  const found = new Map<string, string>();
  for (const name of names)
    for (const device of await functionsBehind(sysfs, name, 0))
      if (!found.has(device)) found.set(device, name);
  return found;
}

function defaultRoutes(text: string): readonly string[] {
  const lines = text.split('\n').slice(1);
  return lines.flatMap((line) => {
    const [name, destination] = line.split('\t');
    return destination === '00000000' ? [name!] : [];
  });
}

/** Destination, prefix length, source, its length, next hop, metric, references, use, flags, interface. */
function defaultRoutes6(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => {
    const [destination, length, , , , , , , , name] = line.trim().split(/\s+/);
    const everything = destination !== undefined && /^0{32}$/.test(destination) && length === '00';
    return everything && name !== undefined && name !== 'lo' ? [name] : [];
  });
}

/** The function of an interface, or those of the interfaces that it is made of. */
async function functionsBehind(
  sysfs: Sysfs,
  name: string,
  depth: number,
): Promise<readonly string[]> {
  if (depth > MAX_DEPTH) return [];
  const folder = `/sys/class/net/${name}`;
  const target = await sysfs.readLink(folder);
  if (typeof target === 'number') return [];
  const own = functionsIn(target);
  const entries = await sysfs.list(folder);
  const lower = (typeof entries === 'number' ? [] : entries).filter((entry) =>
    entry.startsWith('lower_'),
  );
  const below = await Promise.all(
    lower.map((entry) => functionsBehind(sysfs, entry.slice('lower_'.length), depth + 1)),
  );
  return [...own, ...below.flat()];
}
