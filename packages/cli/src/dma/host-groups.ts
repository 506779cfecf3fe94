import { type DeviceFacts, groupOf, type HostFacts } from '@vfiokit/binder';
import { baseName, readText, type Sysfs } from '@vfiokit/driver-model';
import {
  GENERIC_IOMMU,
  type Iommu,
  type IommuRegisters,
  iommuFromRegisters,
  POWERNV,
} from '@vfiokit/iommu';
import { VfioError } from '@vfiokit/uapi';
import type { HostGroup } from './assigned-guest.js';
import { readReserved } from './read-groups.js';

/** Groups of a machine, and what there is to say about where their IOMMU is known from. */
export interface HostGroups {
  readonly groups: readonly HostGroup[];
  /** Each starts with its subject. */
  readonly remarks: readonly string[];
}

/** Where drivers show registers below an entry of /sys/class/iommu. */
const REGISTERS: Readonly<Record<keyof Omit<IommuRegisters, 'name'>, readonly string[]>> = {
  cap: ['intel-iommu/cap', 'amd-iommu/cap'],
  ecap: ['intel-iommu/ecap'],
  features: ['amd-iommu/features'],
};

/**
 * Reads the groups of some devices: who else is in them, what their IOMMU can do, where nobody may map.
 *
 * @throws VfioError ENODEV for a device in no group.
 */
export async function readHostGroups(
  sysfs: Sysfs,
  host: HostFacts,
  devices: readonly DeviceFacts[],
): Promise<HostGroups> {
  const groups = new Map<string, HostGroup>();
  const held: string[] = [];
  const withoutRegisters: string[] = [];
  const withoutRegions: string[] = [];
  for (const device of devices) {
    const number = device.group.value;
    if (number === undefined || number === null)
      throw new VfioError(
        'ENODEV',
        `${device.name}: in no IOMMU group that is known; nothing stands between it and memory`,
      );
    if (groups.has(number)) continue;
    const iommu = await readIommu(sysfs, device);
    const drivers = hostDrivers(host, device);
    if (drivers.length > 0)
      held.push(`group ${number}: on ${drivers.join(', ')}; shown as if VFIO drivers had it`);
    const reserved = await readReserved(sysfs, number);
    if (iommu === undefined) withoutRegisters.push(number);
    if (reserved === undefined) withoutRegions.push(number);
    groups.set(number, {
      id: Number(number),
      members: host.groups.get(number)!,
      iommu: iommu ?? commonIommu(host.architecture.value),
      reserved: reserved ?? [],
    });
  }
  const remark = (numbers: readonly string[], text: string) =>
    numbers.length === 0
      ? []
      : [`${numbers.length === 1 ? 'group' : 'groups'} ${numbers.join(', ')}: ${text}`];
  const remarks = [
    ...held,
    // A described machine has no registers that could be seen.
    ...remark(
      sysfs.kind === 'model' ? [] : withoutRegisters,
      "the IOMMU's registers can't be seen; its reach and its pages are those of a common one",
    ),
    ...remark(withoutRegions, "reserved_regions can't be seen; none are taken to be there"),
  ];
  return { groups: [...groups.values()], remarks };
}

/** The host's drivers that have a group's DMA. */
function hostDrivers(host: HostFacts, device: DeviceFacts): readonly string[] {
  const members = groupOf(host, device)?.members ?? [];
  const offenders = members.filter(({ effect }) => effect === 'offender');
  return [...new Set(offenders.map(({ device: member }) => member.driver.value ?? '?'))];
}

/** The IOMMU before a device, from its registers; `undefined` where they are not shown. */
async function readIommu(sysfs: Sysfs, { path }: DeviceFacts): Promise<Iommu | undefined> {
  const link = await sysfs.readLink(`${path}/iommu`);
  if (typeof link === 'number') return undefined;
  const name = baseName(link);
  const registers: Record<string, string> = {};
  for (const [register, files] of Object.entries(REGISTERS))
    for (const file of files) {
      const text = await readText(sysfs, `/sys/class/iommu/${name}/${file}`);
      if (typeof text === 'string') registers[register] = text.trim();
    }
  // What Intel's and AMD's can do is in their registers only; the others are told by their names.
  const silent = /^(dmar|ivhd)/.test(name) && Object.keys(registers).length === 0;
  return silent ? undefined : iommuFromRegisters({ name, ...registers });
}

/** What machines of an architecture have. */
function commonIommu(architecture: string | undefined): Iommu {
  return architecture?.startsWith('ppc64') ? { ...GENERIC_IOMMU, tce: POWERNV } : GENERIC_IOMMU;
}
