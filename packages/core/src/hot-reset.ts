import { type DeviceDoor, GroupFile } from '@vfiokit/iommu';
import type { PciDevice } from '@vfiokit/pci';
import {
  copyIn,
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
  VFIO_PCI_HOT_RESET_FLAG_DEV_ID,
  VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED,
} from '@vfiokit/uapi';
import type { VfioPciCoreDevice } from './core-device.js';
import type { DeviceSet } from './device-set.js';

const HEADER_SIZE = 12;
const ENTRY_SIZE = 8;
const D0 = 0;
const DEVID_OWNED = 0;
const DEVID_NOT_OWNED = 0xffffffff;

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
  const header = copyIn(argument, HEADER_SIZE);
  if (header === undefined) return -EFAULT;
  const argsz = header.getUint32(0, true);
  if (argsz < HEADER_SIZE) return -EINVAL;
  const functions = affectedFunctions(device.pdev);
  if (functions === undefined) return -ENODEV;
  if (functions.length > Math.floor((argsz - HEADER_SIZE) / ENTRY_SIZE)) {
    header.setUint32(4, 0, true);
    header.setUint32(8, functions.length, true);
    return -ENOSPC;
  }
  let flags = VFIO_PCI_HOT_RESET_FLAG_DEV_ID | VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED;
  const entries: number[] = [];
  for (const pdev of functions) {
    if (door.kind === 'group') {
      const group = device.groupIdOf(pdev);
      if (group === undefined) return -EPERM;
      entries.push(group);
    } else {
      const devid = devidOf(device.deviceSet, door, pdev);
      if (devid === DEVID_NOT_OWNED) flags &= ~VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED;
      entries.push(devid);
    }
  }
  const out = copyIn(argument, HEADER_SIZE + functions.length * ENTRY_SIZE);
  if (out === undefined) return -EFAULT;
  out.setUint32(4, door.kind === 'group' ? 0 : flags, true);
  out.setUint32(8, functions.length, true);
  functions.forEach(({ address: { domain, bus, devfn } }, i) => {
    const at = HEADER_SIZE + i * ENTRY_SIZE;
    out.setUint32(at, entries[i]!, true);
    out.setUint16(at + 4, domain & 0xffff, true);
    out.setUint8(at + 6, bus);
    out.setUint8(at + 7, devfn);
  });
  return 0;
}

function devidOf(set: DeviceSet, door: DeviceDoor, pdev: PciDevice): number {
  const member = set.members.find((other) => other.pdev === pdev);
  if (member === undefined) return DEVID_NOT_OWNED;
  const devid = door.devid?.(member);
  if (devid !== undefined) return devid;
  return door.sharesGroup?.(member) ? DEVID_OWNED : DEVID_NOT_OWNED;
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
  const header = copyIn(argument, HEADER_SIZE);
  if (header === undefined) return -EFAULT;
  const count = header.getUint32(8, true);
  if (header.getUint32(0, true) < HEADER_SIZE || header.getUint32(4, true) !== 0) return -EINVAL;
  if ((count !== 0) !== (door.kind === 'group')) return -EINVAL;
  const functions = affectedFunctions(device.pdev);
  if (functions === undefined) return -ENODEV;
  if (door.kind === 'cdev')
    return resetSet(
      device.deviceSet,
      functions,
      (member) => door.devid?.(member) !== undefined || (door.sharesGroup?.(member) ?? false),
    );
  if (count > functions.length) return -EINVAL;
  const fds = copyIn(argument, HEADER_SIZE + 4 * count);
  if (fds === undefined) return -EFAULT;
  const groups: GroupFile[] = [];
  for (let i = 0; i < count; i += 1) {
    const file = caller.fds.get(fds.getInt32(HEADER_SIZE + 4 * i, true));
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
  for (const member of set.members) member.power.set(D0);
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
