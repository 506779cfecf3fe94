import {
  Directory,
  type DriverCore,
  linkTo,
  type SysfsDirectory,
  type SysfsFile,
  textFile,
} from '@vfiokit/driver-model';
import type { IommuGroup, IommuGroups } from '@vfiokit/iommu';
import { EACCES, EINVAL, EPERM } from '@vfiokit/uapi';

export interface GroupsInput {
  readonly core: DriverCore;
  readonly iommuGroups: IommuGroups;
  /** Path of a function in `/sys/devices`. */
  readonly pathOf: (name: string) => string | undefined;
}

const DEFAULT_TYPE = 'DMA';
/** What may be asked for, and what it reads back as. */
const TYPES: Readonly<Record<string, string>> = {
  identity: 'identity',
  DMA: 'DMA',
  'DMA-FQ': 'DMA-FQ',
  auto: DEFAULT_TYPE,
};

/** `/sys/kernel/iommu_groups` (iommu.c). */
export function iommuGroupsDirectory({ core, iommuGroups, pathOf }: GroupsInput): SysfsDirectory {
  const types = new WeakMap<IommuGroup, string>();
  const typeOf = (group: IommuGroup) => types.get(group) ?? group.type ?? DEFAULT_TYPE;
  const typeFile = (group: IommuGroup): SysfsFile => ({
    kind: 'file',
    mode: 0o644,
    show: () => `${typeOf(group)}\n`,
    store: (text) => {
      if (!core.privileged) return -EACCES;
      const wanted = TYPES[text.replace(/\n$/, '')];
      if (wanted === undefined) return -EINVAL;
      // Only the flush queue may be switched on under a driver that uses the domain (iommu_group_store_type).
      const upgrade = typeOf(group) === 'DMA' && wanted === 'DMA-FQ';
      if (group.ownerClaimed && !upgrade) return -EPERM;
      types.set(group, wanted);
      return 0;
    },
  });
  const directory = (group: IommuGroup): SysfsDirectory => {
    const devices = new Directory();
    for (const name of group.members) {
      const path = pathOf(name);
      if (path !== undefined) devices.set(name, linkTo(path));
    }
    return new Directory({
      devices,
      reserved_regions: textFile(
        group.reserved
          .map(({ start, end, type }) => `${line(start)} ${line(end)} ${type}\n`)
          .join(''),
      ),
      type: typeFile(group),
      ...(group.name === undefined ? {} : { name: textFile(`${group.name}\n`) }),
    });
  };
  return {
    kind: 'directory',
    get: (name) => {
      const group = /^\d+$/.test(name) ? iommuGroups.get(Number(name)) : undefined;
      return group === undefined ? undefined : directory(group);
    },
    names: () => [...iommuGroups].map(({ id }) => `${id}`),
  };
}

function line(value: bigint): string {
  return `0x${value.toString(16).padStart(16, '0')}`;
}
