import type { DeviceFacts } from '../facts/device-facts.js';
import type { HostFacts } from '../facts/host-facts.js';
import type { UsageFacts } from '../facts/usage-facts.js';
import { describeProcess, describeProcesses } from '../facts/vfio-users.js';

export type GuardCode =
  | 'boot-display'
  | 'root-storage'
  | 'mounted-storage'
  | 'management-network'
  | 'in-use'
  | 'vfs-in-use'
  | 'foreign-override'
  | 'not-endpoint'
  | 'has-vfs';

/** A reason not to take a device away from what it does. */
export interface Guard {
  readonly code: GuardCode;
  readonly device: string;
  readonly text: string;
  /** Whether somebody may say that it shall be done all the same. */
  readonly forcible: boolean;
}

/** Everything that speaks against taking a device. @param target the driver it is to get. */
export function guardsOf(
  device: DeviceFacts,
  target: string | undefined,
  host: HostFacts,
  usage: UsageFacts,
): readonly Guard[] {
  const { name } = device;
  const guards: Guard[] = [];
  const guard = (code: GuardCode, text: string, forcible = true) =>
    guards.push({ code, device: name, text: `${name}: ${text}`, forcible });
  if (device.headerType.value !== undefined && device.headerType.value !== 0)
    guard('not-endpoint', 'is a bridge; only endpoints can be handed to a user', false);
  if (device.bootVga.value === 1) guard('boot-display', 'shows the boot console');
  const mounts = usage.mounts.get(name);
  if (usage.root.has(name)) guard('root-storage', 'carries the root file system');
  else if (usage.untracedRoot !== undefined && usage.disks.has(name))
    guard(
      'root-storage',
      `has a disk, and may carry the root file system: what ${usage.untracedRoot} is made of is not known`,
    );
  else if (mounts !== undefined)
    guard('mounted-storage', `carries what is mounted on ${mounts.join(', ')}`);
  const network = usage.network.get(name);
  if (network !== undefined)
    guard('management-network', `carries ${network}, over which the machine is reached`);
  for (const user of usage.users.get(name) ?? [])
    guard('in-use', `is in use by ${describeProcess(user)}`);
  for (const vf of device.virtfns) {
    const users = usage.users.get(vf) ?? [];
    if (users.length > 0)
      guard('vfs-in-use', `its VF ${vf} is in use by ${describeProcesses(users)}`);
    else if ((host.devices.get(vf)?.vfioDevices.length ?? 0) > 0)
      guard('vfs-in-use', `its VF ${vf} is bound to ${host.devices.get(vf)!.driver.value}`);
  }
  if (device.virtfns.length > 0)
    guard('has-vfs', `has VFs (${device.virtfns.length}); write 0 to sriov_numvfs first`, false);
  const override = device.override.value;
  if (override && override !== target && override !== device.driver.value)
    guard('foreign-override', `somebody has set its override to ${JSON.stringify(override)}`);
  return guards;
}
