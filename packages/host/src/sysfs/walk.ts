import type { Sysfs } from '@vfiokit/driver-model';
import { ENOENT, ERRNO } from '@vfiokit/uapi';

/** One thing in a tree of files. */
export type WalkedEntry =
  | { readonly path: string; readonly type: 'directory' }
  | { readonly path: string; readonly type: 'link'; readonly target: string }
  | { readonly path: string; readonly type: 'file'; readonly data: Uint8Array }
  /** It is there and could not be read. */
  | { readonly path: string; readonly type: 'unreadable'; readonly errno: number };

/** Where everything is that binding touches. */
export const BINDING_FILES: readonly string[] = [
  '/sys/bus/pci',
  '/sys/devices',
  // What lies on disks and cards: volumes and their slaves, bridges and their ports.
  '/sys/devices/virtual/block',
  '/sys/devices/virtual/net',
  '/sys/kernel/iommu_groups',
  '/sys/module',
  '/sys/class/net',
  '/sys/class/block',
  '/sys/block',
  '/sys/class/vfio-dev',
  '/sys/class/iommu',
  '/proc/modules',
  // The first is a link to the second.
  '/proc/mounts',
  '/proc/self/mounts',
  '/proc/cpuinfo',
  '/proc/net/route',
  '/proc/net/ipv6_route',
  '/proc/version',
  '/proc/sys/kernel/osrelease',
  '/proc/sys/kernel/arch',
  '/proc/sys/kernel/random/boot_id',
  '/dev/vfio',
  '/etc/modprobe.d',
];

/**
 * Files whose reading has effects on hardware, or that are as large as a BAR: they are never read. Directories that say
 * nothing of binding are left out.
 */
const NEVER_READ = /\/(?:resource\d+(?:_wc)?|rom|vpd|mem|iomem|registers|regmap|trace)$/;
const LEFT_OUT =
  /\/(?:power|wakeup|queue|mq|bdi|integrity|msi_irqs|aer|link|sections|notes|holders|statistics|queues|tracing|firmware_node|virtual|LNXSYSTM:00|system|platform|cpu|node)$/;
const MAX_DEPTH = 16;

/** Everything below some paths, links as links, each directory before what is in it. */
export async function* walk(
  sysfs: Sysfs,
  paths: readonly string[] = BINDING_FILES,
): AsyncGenerator<WalkedEntry> {
  for (const path of paths) yield* visit(sysfs, path, 0);
}

async function* visit(sysfs: Sysfs, path: string, depth: number): AsyncGenerator<WalkedEntry> {
  if (depth > MAX_DEPTH || (depth > 0 && LEFT_OUT.test(path))) return;
  const target = await sysfs.readLink(path);
  if (typeof target === 'string') {
    yield { path, type: 'link', target };
    return;
  }
  const names = await sysfs.list(path);
  if (typeof names !== 'number') {
    yield { path, type: 'directory' };
    for (const name of [...names].sort()) yield* visit(sysfs, `${path}/${name}`, depth + 1);
    return;
  }
  if (names === -ENOENT) return;
  const data = NEVER_READ.test(path) ? -ERRNO.EACCES : await sysfs.read(path);
  if (typeof data === 'number') yield { path, type: 'unreadable', errno: data };
  else yield { path, type: 'file', data };
}
