import { DIRTY_LOG, MIGRATION, OPS_NAME, type Variant } from '@vfiokit/core';
import { type MachineDescription, shippedMachine } from '@vfiokit/host';
import { VfioError } from '@vfiokit/uapi';
import { VARIANTS } from '../../src/composition.js';
import { openRecorded, type RecordedDevice } from './recorded-driver.js';

/** A driver of the reference's table: where a shipped machine has it, and what it looks like without what it needs. */
interface User {
  readonly variant: string;
  readonly machine: string;
  readonly at: string;
  /** Absent for what is under plain vfio-pci. */
  readonly driver?: string;
  /** The machine without what the driver looks for beyond ids: its table of firmware, or the PF's driver. */
  readonly without: Readonly<Record<string, unknown>> | 'pf';
}

export const USERS = {
  igd: {
    variant: 'igd',
    machine: 'x86-laptop',
    at: '0000:00:02.0',
    without: { opregion: undefined },
  },
  zpci: {
    variant: 'zpci',
    machine: 's390x-lpar',
    at: '0000:00:00.0',
    without: { zpci: undefined },
  },
  nvlink: {
    variant: 'nvlink',
    machine: 'power9',
    at: '0004:04:00.0',
    without: { nvlink: undefined },
  },
  mlx: {
    variant: 'mlx',
    machine: 'x86-server',
    at: '0000:17:00.1',
    driver: 'mlx5_vfio_pci',
    without: 'pf',
  },
  nvgrace: {
    variant: 'nvgrace-gpu',
    machine: 'grace',
    at: '0009:01:00.0',
    driver: 'nvgrace_gpu_vfio_pci',
    // A size of 0 is a link that did not come up.
    without: { graceMemory: { '0009:01:00.0': { base: '0x1000', size: 0 } } },
  },
  virtio: {
    variant: 'virtio',
    machine: 'x86-accelerators',
    at: '0000:ca:00.1',
    driver: 'virtio_vfio_pci',
    without: 'pf',
  },
  hisi: {
    variant: 'variants-more',
    machine: 'kunpeng',
    at: '0000:75:00.1',
    driver: 'hisi_acc_vfio_pci',
    without: 'pf',
  },
  pds: {
    variant: 'variants-more',
    machine: 'x86-accelerators',
    at: '0000:b1:00.1',
    driver: 'pds_vfio_pci',
    without: 'pf',
  },
  qat: {
    variant: 'variants-more',
    machine: 'x86-accelerators',
    at: '0000:6b:00.1',
    driver: 'qat_vfio_pci',
    without: 'pf',
  },
  xe: {
    variant: 'variants-more',
    machine: 'x86-accelerators',
    at: '0000:98:00.1',
    driver: 'xe-vfio-pci',
    without: 'pf',
  },
  ism: {
    variant: 'variants-more',
    machine: 's390x-lpar',
    at: '0002:00:00.0',
    driver: 'ism_vfio_pci',
    without: {},
  },
} as const satisfies Readonly<Record<string, User>>;
export type Name = keyof typeof USERS;

const joins = new Map<string, Variant>(
  await Promise.all(
    Object.entries(VARIANTS).map(async ([name, load]) => [name, await load()] as const),
  ),
);
export const composed = (name: Name) => USERS[name].variant in VARIANTS;

function description({ machine, without }: User, whole: boolean): MachineDescription {
  const shipped = shippedMachine(machine);
  if (whole || without === 'pf') return shipped;
  return { ...shipped, firmware: { ...shipped.firmware, ...without } };
}

/** The device as the machine has it. */
export function open(name: Name): RecordedDevice {
  const user: User = USERS[name];
  const machine = description(user, true);
  const { at, driver } = user;
  const variant = joins.get(user.variant)!;
  return openRecorded({ machine, variant, at, ...(driver && { driver }) });
}

/** The device without what its driver looks for beyond ids. @throws VfioError if the driver refuses it then. */
export function openBare(name: Name): RecordedDevice {
  const user: User = USERS[name];
  return openRecorded({
    machine: description(user, false),
    variant: joins.get(user.variant)!,
    at: user.at,
    ...(user.driver && { driver: user.driver }),
    prepare: (pdev) => {
      if (user.without === 'pf') pdev.physfn!.driverData = {};
    },
  });
}

/** The same function under vfio-pci alone. */
export function openPlain(name: Name): RecordedDevice {
  const { at } = USERS[name];
  const { machine, variant } = USERS[name];
  // Silicon is the variant's too; only its drivers are left out.
  const join = joins.get(variant)!;
  return openRecorded({ machine: shippedMachine(machine), variant: join, at, driver: 'vfio-pci' });
}

export const size = (device: RecordedDevice, index: number): number => {
  try {
    return Number(device.client.regionInfo(index).size);
  } catch (error) {
    if (error instanceof VfioError) return -1;
    throw error;
  }
};
export const flags = (device: RecordedDevice, index: number): number =>
  size(device, index) < 0 ? 0 : device.client.regionInfo(index).flags;
export const opsName = ({ container, driver }: RecordedDevice) =>
  container.isRegistered(OPS_NAME) ? container.resolve(OPS_NAME) : driver.name;
export const BARS = [0, 1, 2, 3, 4, 5] as const;

/** Whether a user of the device can map the page at this place. */
export function maps(device: RecordedDevice, index: number, offset: number): boolean {
  if (size(device, index) <= 0) return false;
  const { position } = device.client.regionInfo(index);
  const mapping = device.opened.device.mmap({
    position: position + offset,
    length: 4096,
    shared: true,
  });
  return typeof mapping === 'object';
}

export function differs(name: Name): boolean {
  using whole = open(name);
  try {
    using bare = openBare(name);
    const look = (device: RecordedDevice) =>
      JSON.stringify([
        opsName(device),
        device.regions.length,
        device.has(MIGRATION),
        device.has(DIRTY_LOG),
        device.client.info().capabilities.length,
      ]);
    return look(bare) !== look(whole);
  } catch (error) {
    if (error instanceof VfioError) return true;
    throw error;
  }
}

/** Another device of the same machine. */
export function openBeside(name: Name, at: string): RecordedDevice {
  const { machine, variant } = USERS[name];
  return openRecorded({ machine: shippedMachine(machine), variant: joins.get(variant)!, at });
}
