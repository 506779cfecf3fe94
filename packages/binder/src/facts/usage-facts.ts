import type { Sysfs } from '@vfiokit/driver-model';
import { readNetwork } from './network-facts.js';
import { readStorage, type StorageFacts } from './storage-facts.js';
import { type NodeOwners, type Process, readVfioUsers } from './vfio-users.js';

/** What a machine needs to go on running, by the functions that carry it. */
export interface UsageFacts extends StorageFacts {
  /** Functions behind network interfaces that carry a default route or the operator's connection. */
  readonly network: ReadonlyMap<string, string>;
  /** Processes that have a function's VFIO device, or its group, open. */
  readonly users: ReadonlyMap<string, readonly Process[]>;
  /** What could not be looked at. */
  readonly unobserved: readonly string[];
}

const NO_STORAGE: StorageFacts = {
  root: new Set(),
  untracedRoot: undefined,
  mounts: new Map(),
  disks: new Set(),
};

/** Looks for what a machine can't do without. @param operatorInterface what the operator comes in by, if known. */
export async function readUsage(
  sysfs: Sysfs,
  owners: NodeOwners,
  operatorInterface?: string,
): Promise<UsageFacts> {
  const unobserved: string[] = [];
  const storage = await readStorage(sysfs);
  if (storage === undefined) unobserved.push('what carries the root file system (/proc/mounts)');
  else if (storage.untracedRoot !== undefined)
    unobserved.push(`which disks ${storage.untracedRoot} is made of, the root file system`);
  const network = await readNetwork(sysfs, operatorInterface);
  if (network === undefined) unobserved.push('what carries the default route (/proc/net/route)');
  const open = await readVfioUsers(sysfs, owners);
  if (open === undefined) unobserved.push('which processes have VFIO devices open (/proc/*/fd)');
  else if (open.hidden > 0)
    unobserved.push(
      `what other users' processes have open, ${open.hidden} of them (/proc/*/fd is root's)`,
    );
  return {
    ...(storage ?? NO_STORAGE),
    network: network ?? new Map(),
    users: open?.users ?? new Map(),
    unobserved,
  };
}
