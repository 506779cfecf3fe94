import { baseName, type Sysfs } from '@vfiokit/driver-model';
import { leavesDmaToUsers } from '../facts/group-facts.js';

/**
 * Who keeps a user out of a device's IOMMU group at this moment, as a sentence; undefined if nobody does, or if the group
 * can't be seen. Somebody may have bound another member since the plan was made.
 */
export async function groupObstacle(sysfs: Sysfs, device: string): Promise<string | undefined> {
  const link = await sysfs.readLink(`/sys/bus/pci/devices/${device}/iommu_group`);
  if (typeof link === 'number') return undefined;
  const group = baseName(link);
  const members = await sysfs.list(`/sys/kernel/iommu_groups/${group}/devices`);
  for (const member of typeof members === 'number' ? [] : members) {
    const folder = `/sys/bus/pci/devices/${member}`;
    const driver = await sysfs.readLink(`${folder}/driver`);
    if (typeof driver === 'number') continue;
    const name = baseName(driver);
    const providesVfio = typeof (await sysfs.list(`${folder}/vfio-dev`)) !== 'number';
    if (!leavesDmaToUsers(name, providesVfio))
      return `${device}: its group ${group} is not viable: ${member} is bound to "${name}"`;
  }
  return undefined;
}
