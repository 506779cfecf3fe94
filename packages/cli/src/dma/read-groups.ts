import { groupOf, type HostFacts, readUsage, type UsageFacts } from '@vfiokit/binder';
import { readText, type Sysfs } from '@vfiokit/driver-model';
import type { Machine, OpenedMachine } from '@vfiokit/host';
import {
  type GroupReport,
  type HostReport,
  parseReservedRegions,
  type ReservedRegion,
  reportGroups,
  VfioGroups,
} from '@vfiokit/iommu';

const GROUPS = '/sys/kernel/iommu_groups';

/**
 * The groups of a machine, who owns the DMA of each, and the containers that they are in. A model knows all of it. Of
 * a real machine it is what /sys and /proc tell, and they tell of no container.
 */
export async function readGroups(opened: OpenedMachine, host: HostFacts): Promise<HostReport> {
  const usage = await readUsage(opened.sysfs, host);
  return opened.machine === undefined
    ? { groups: await groupsOf(opened.sysfs, host, usage), containers: [] }
    : modelGroups(opened.machine, usage);
}

function modelGroups({ iommuGroups, container }: Machine, usage: UsageFacts): HostReport {
  const { groups, containers } = reportGroups(iommuGroups, container.resolve(VfioGroups));
  return {
    groups: groups
      .map((group) =>
        group.owner === 'user' ? { ...group, holders: users(group.members, usage) } : group,
      )
      .sort((a, b) => a.id - b.id),
    containers,
  };
}

function groupsOf(
  sysfs: Sysfs,
  host: HostFacts,
  usage: UsageFacts,
): Promise<readonly GroupReport[]> {
  const numbers = [...host.groups.keys()].sort((a, b) => Number(a) - Number(b));
  return Promise.all(numbers.map((number) => readGroup(sysfs, host, usage, number)));
}

async function readGroup(
  sysfs: Sysfs,
  host: HostFacts,
  usage: UsageFacts,
  number: string,
): Promise<GroupReport> {
  const members = host.groups.get(number)!;
  const devices = members.map((name) => host.devices.get(name)!);
  const facts = groupOf(host, devices[0]!)!;
  const drivers = facts.members
    .filter(({ effect }) => effect === 'offender')
    .map(({ device }) => `${device.name} (${device.driver.value})`);
  const onVfio = devices.some(({ vfioDevices }) => vfioDevices.length > 0);
  const openedBy = users(members, usage);
  const type = await readText(sysfs, `${GROUPS}/${number}/type`);
  const common = {
    id: Number(number),
    members,
    node: onVfio ? `/dev/vfio/${number}` : null,
    type: typeof type === 'string' ? type.trim() : undefined,
    reserved: await readReserved(sysfs, number),
  };
  if (drivers.length > 0) return { ...common, owner: 'host', holders: drivers, container: null };
  if (openedBy.length > 0)
    return { ...common, owner: 'user', holders: openedBy, container: undefined };
  // Only who can look into processes knows that nobody has it open.
  const hidden = facts.viable === undefined || (onVfio && !processesSeen(usage));
  if (hidden) return { ...common, owner: undefined, holders: [], container: undefined };
  return { ...common, owner: 'nobody', holders: [], container: null };
}

/** Where nobody may map for a group; `undefined` where that is not told. */
export async function readReserved(
  sysfs: Sysfs,
  number: string,
): Promise<readonly ReservedRegion[] | undefined> {
  const text = await readText(sysfs, `${GROUPS}/${number}/reserved_regions`);
  return typeof text === 'string' ? parseReservedRegions(text.split('\n')) : undefined;
}

function users(members: readonly string[], usage: UsageFacts): readonly string[] {
  const all = members.flatMap((name) => usage.users.get(name) ?? []);
  return [...new Set(all.map(({ pid, command }) => `${command} (${pid})`))];
}

const processesSeen = ({ unobserved }: UsageFacts) =>
  !unobserved.some((what) => what.includes('/proc/*/fd'));
