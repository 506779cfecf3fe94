import { type DeviceDoor, GroupFile } from '@vfiokit/iommu';
import { PCI_D0, type PciDevice } from '@vfiokit/pci';
import {
  copyArgszIn,
  copyIn,
  copyOut,
  copyStructOut,
  EAGAIN,
  EBADF,
  EBUSY,
  EFAULT,
  EINVAL,
  ENODEV,
  ENOSPC,
  EPERM,
  type IoctlArgument,
  type Process,
  VFIO_PCI_DEVID_NOT_OWNED,
  VFIO_PCI_DEVID_OWNED,
  VFIO_PCI_HOT_RESET_FLAG_DEV_ID,
  VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED,
  vfioPciDependentDevice,
  vfioPciHotReset,
  vfioPciHotResetInfo,
} from '@vfiokit/uapi';
import type { VfioPciCoreDevice } from './core-device.js';
import type { DeviceSet } from './device-set.js';

/** Who may reset: a member of the set counts as owned if the caller can prove that nobody else uses it. */
export type Ownership = (device: VfioPciCoreDevice) => boolean;

/**
 * Every function that a reset of the device's slot or bus would hit, in the order of the kernel's walk; `undefined` if
 * neither can be reset.
 */
export function affectedFunctions(pdev: PciDevice): readonly PciDevice[] | undefined {
  if (pdev.probeSlotReset() === 0)
    return pdev.slot.devices.flatMap((device) => [device, ...(device.subordinate?.walk() ?? [])]);
  if (pdev.probeBusReset() === 0) return [...pdev.bus.walk()];
  return undefined;
}

/** VFIO_DEVICE_GET_PCI_HOT_RESET_INFO (vfio_pci_core.c: vfio_pci_ioctl_get_pci_hot_reset_info). */
export function hotResetInfo(
  device: VfioPciCoreDevice,
  door: DeviceDoor,
  argument: IoctlArgument,
): number {
  const request = copyArgszIn(argument, vfioPciHotResetInfo);
  if (typeof request === 'number') return request;
  const { argsz } = request;
  const functions = affectedFunctions(device.pdev);
  if (functions === undefined) return -ENODEV;
  const count = functions.length;
  const { size: header } = vfioPciHotResetInfo;
  const { size: entry } = vfioPciDependentDevice;
  if (argsz < header + count * entry) {
    copyStructOut(argument, vfioPciHotResetInfo, { flags: 0, count });
    return -ENOSPC;
  }
  const ids =
    door.kind === 'group' ? groupsOf(device, functions) : devidsOf(device, door, functions);
  if (typeof ids === 'number') return ids;
  const answer = new Uint8Array(header + count * entry);
  vfioPciHotResetInfo.encode({ argsz, flags: hotResetFlags(door, ids), count }, answer);
  for (const [i, { address }] of functions.entries()) {
    const { domain, bus, devfn } = address;
    const dependent = { id: ids[i]!, segment: domain & 0xffff, bus, devfn };
    vfioPciDependentDevice.encode(dependent, answer, header + i * entry);
  }
  return copyOut(argument, answer);
}

/** The IOMMU groups of functions; `-EPERM` if one has none. */
function groupsOf(
  { groupIdOf }: VfioPciCoreDevice,
  functions: readonly PciDevice[],
): readonly number[] | number {
  const groups = functions.map(groupIdOf);
  return groups.every((group) => group !== undefined) ? groups : -EPERM;
}

/** The numbers of functions in the iommufd that the device was opened with. */
function devidsOf(
  { deviceSet }: VfioPciCoreDevice,
  door: DeviceDoor,
  functions: readonly PciDevice[],
): readonly number[] {
  return functions.map((pdev) => devidOf(deviceSet, door, pdev));
}

function hotResetFlags({ kind }: DeviceDoor, ids: readonly number[]): number {
  if (kind === 'group') return 0;
  const owned = !ids.includes(VFIO_PCI_DEVID_NOT_OWNED);
  return VFIO_PCI_HOT_RESET_FLAG_DEV_ID | (owned ? VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED : 0);
}

function devidOf(set: DeviceSet, door: DeviceDoor, pdev: PciDevice): number {
  const member = set.members.find((other) => other.pdev === pdev);
  if (member === undefined) return VFIO_PCI_DEVID_NOT_OWNED;
  const devid = door.devid?.(member);
  if (devid !== undefined) return devid;
  return door.sharesGroup?.(member) ? VFIO_PCI_DEVID_OWNED : VFIO_PCI_DEVID_NOT_OWNED;
}

/**
 * VFIO_DEVICE_PCI_HOT_RESET (vfio_pci_core.c: vfio_pci_ioctl_pci_hot_reset). The array of descriptors is not measured
 * against argsz.
 */
export function hotReset(
  device: VfioPciCoreDevice,
  door: DeviceDoor,
  argument: IoctlArgument,
  caller: Process,
): number {
  const request = copyArgszIn(argument, vfioPciHotReset);
  if (typeof request === 'number') return request;
  const { flags, count } = request;
  if (flags !== 0 || (count !== 0) !== (door.kind === 'group')) return -EINVAL;
  const functions = affectedFunctions(device.pdev);
  if (functions === undefined) return -ENODEV;
  if (door.kind === 'cdev')
    return resetSet(
      device.deviceSet,
      functions,
      (member) => door.devid?.(member) !== undefined || (door.sharesGroup?.(member) ?? false),
    );
  if (count > functions.length) return -EINVAL;
  const fds = copyIn(argument, vfioPciHotReset.size + 4 * count);
  if (fds === undefined) return -EFAULT;
  const groups: GroupFile[] = [];
  for (let i = 0; i < count; i += 1) {
    const file = caller.fds.get(fds.getInt32(vfioPciHotReset.size + 4 * i, true));
    if (file === undefined) return -EBADF;
    if (!(file instanceof GroupFile)) return -EINVAL;
    groups.push(file);
  }
  return resetSet(device.deviceSet, functions, (member) =>
    groups.some((group) => group.holds(member)),
  );
}

/** Whether every function that a reset would hit is the device of a member (vfio_pci_dev_set_resettable). */
function resettable(set: DeviceSet, functions: readonly PciDevice[]): boolean {
  return functions.every((pdev) => set.members.some((member) => member.pdev === pdev));
}

/** Resets slot or bus with every member quiet (vfio_pci_core.c: vfio_pci_dev_set_hot_reset). */
function resetSet(set: DeviceSet, functions: readonly PciDevice[], owned: Ownership): number {
  if (!resettable(set, functions)) return -EINVAL;
  return withAwake(set, () => {
    const locked: VfioPciCoreDevice[] = [];
    const result = lockMembers(set, owned, locked) || resetLocked(set);
    for (const member of locked.reverse()) {
      member.resumeMemory();
      member.memoryLock.release();
    }
    return result;
  });
}

function lockMembers(set: DeviceSet, owned: Ownership, locked: VfioPciCoreDevice[]): number {
  for (const member of set.members) {
    if (!owned(member)) return -EINVAL;
    if (!member.memoryLock.tryTake()) return -EBUSY;
    locked.push(member);
    member.suspendMemory();
  }
  return 0;
}

function resetLocked(set: DeviceSet): number {
  for (const member of set.members) member.power.set(PCI_D0);
  return set.members[0]?.pdev.tryResetSlotOrBus() ?? -EAGAIN;
}

/** Keeps every member from sleeping meanwhile; a negated errno if one can't be woken. */
function withAwake(set: DeviceSet, body: () => number): number {
  const awake: VfioPciCoreDevice[] = [];
  let result = 0;
  for (const member of set.members) {
    result = member.pdev.runtimePm.get();
    if (result < 0) break;
    awake.push(member);
  }
  if (result >= 0) result = body();
  for (const member of awake.reverse()) member.pdev.runtimePm.put();
  return result;
}

/**
 * What is left to do when the last user leaves a device that could not be reset alone: reset slot or bus once no member
 * is in use (vfio_pci_core.c: vfio_pci_dev_set_try_reset). Nobody is told if that fails.
 */
export function resetUnusedSet(set: DeviceSet): void {
  const functions = set.members[0] && affectedFunctions(set.members[0].pdev);
  const opened = set.members.reduce((sum, { openCount }) => sum + openCount, 0);
  // The device that is closing still counts as open.
  if (opened > 1 || !set.members.some(({ needsReset }) => needsReset)) return;
  if (functions === undefined || !resettable(set, functions)) return;
  withAwake(set, () => {
    const result = set.members[0]?.pdev.tryResetSlotOrBus() ?? -EAGAIN;
    if (result === 0) for (const member of set.members) member.needsReset = false;
    return result;
  });
}
