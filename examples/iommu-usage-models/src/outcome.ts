import { AddressSpace, type AssignedDevice, Monitor, type UsageModel } from '@vfiokit/iommu';
import type { VfioError } from '@vfiokit/uapi';
import type { Wiring } from './guests.js';
import { DEVICES, type DeviceName, Machine, RAM, type SpaceKind } from './machine.js';

/** A space of a guest, and whose DMA goes through it. */
export interface SharedSpace {
  /** What it is for in the guest: `bridge 0`. */
  readonly key: string;
  /** Its name on the host: `container 1`. */
  readonly label: string;
  /** The devices in it, group by group: `gpu+audio`. */
  readonly groups: readonly string[];
  /** Bytes of the guest's memory that they reach when the buffers are mapped. */
  readonly reach: number;
}

/** What became of a guest on the machine. */
export interface Outcome {
  readonly model: UsageModel;
  readonly kind: SpaceKind;
  readonly wiring: Wiring;
  readonly spaces: readonly SharedSpace[];
  /** Why devices were refused that the guest does not get. */
  readonly refused: readonly string[];
  /** Maps on the host that the buffers cost. */
  readonly maps: number;
  /** Bytes of locked memory before the buffers, and with them. */
  readonly locked: readonly [before: number, after: number];
}

/** Runs a guest on the machine: all devices are given to it, then its network driver maps its buffers. */
export function outcome(model: UsageModel, kind: SpaceKind, wiring: Wiring): Outcome {
  const machine = new Machine();
  const system = new AddressSpace('all memory');
  system.add(0, RAM.size, { type: 'ram', name: 'RAM', address: RAM.address });
  const plan = {
    ram: [{ start: 0, end: RAM.size }],
    windows: [{ start: 0, end: 2 ** 30 }],
    makesWindows: false,
    guestPage: 4096,
    hostPage: 4096,
    mappings: 1000,
  };
  const monitor = new Monitor({ model, provider: machine.spaces(kind), system, plan });
  const refused: string[] = [];
  const devices = new Map<DeviceName, AssignedDevice>();
  for (const name of Object.keys(DEVICES) as DeviceName[]) {
    const addressSpace = wiring.addressSpace(name, system);
    const { guestTable } = wiring;
    const device = {
      name,
      group: machine.group(name),
      addressSpace,
      ...(guestTable && { guestTable }),
    };
    try {
      monitor.connect(device);
      devices.set(name, device);
    } catch (error) {
      refused.push((error as VfioError).message);
    }
  }
  const mappings = () => monitor.spaces.flatMap(({ space }) => space.snapshot().mappings);
  // iommufd counts for the user rather than for the process: what is mapped is locked.
  const locked = () =>
    kind === 'iommufd'
      ? mappings().reduce((sum, { size }) => sum + Number(size), 0)
      : machine.process.lockedBytes;
  const [mapsBefore, lockedBefore] = [mappings().length, locked()];
  const nic = devices.get('nic');
  wiring.mapBuffers(nic && monitor.spaceOf(nic));
  return {
    model,
    kind,
    wiring,
    refused,
    spaces: monitor.spaces.map(({ key, space }) => ({
      key: key.name,
      label: space.label.replace(/ \(.*/, ''),
      groups: space.groups.map((group) => group.devices.map(({ name }) => name).join('+')),
      reach: space.snapshot().mappings.reduce((sum, { size }) => sum + Number(size), 0),
    })),
    maps: mappings().length - mapsBefore,
    locked: [lockedBefore, locked()],
  };
}
