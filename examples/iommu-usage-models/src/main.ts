// How an IOMMU is used is not a detail of which IOMMU it is: four guests on one machine, and who shares what in each.
import {
  AddressSpace,
  type ContainerType,
  GuestDomain,
  GuestEndpoint,
  MAP_ALL,
  Monitor,
  NAMED_BRIDGE,
  PAPR_BRIDGE,
  PaprHostBridge,
  PaprTceHypercalls,
  SHADOW,
  type UsageModel,
} from '@vfiokit/iommu';
import { DEVICES, type DeviceName, Machine, RAM } from './machine.js';

type Print = (line: string) => void;

/** A guest: how its devices are wired, and what its network driver does to map sixteen pages. */
interface Wiring {
  readonly space: (device: DeviceName, system: AddressSpace) => AddressSpace;
  readonly mapBuffers: () => void;
}

const PAGES = 16;

/** No IOMMU: every device sees the guest's memory. A driver maps nothing; everything is mapped already. */
const plain = (): Wiring => ({ space: (_device, system) => system, mapBuffers: () => {} });

/** An IOMMU of the guest's own: a domain for each device, but the two functions of a card are one to it. */
function guarded(): Wiring {
  const endpoints = { gpu: endpoint('gpu+audio'), nic: endpoint('nic'), disk: endpoint('disk') };
  return {
    space: (device) => endpoints[device === 'audio' ? 'gpu' : device].addressSpace,
    mapBuffers() {
      for (let page = 0; page < PAGES; page += 1)
        endpoints.nic.domain?.map(page * 8192, 4096, page * 4096, 3);
    },
  };
}

function endpoint(name: string): GuestEndpoint {
  const made = new GuestEndpoint(name);
  new GuestDomain(name).attach(made);
  return made;
}

/** PAPR: the cards below one host bridge, the disk below another. */
function pseries(): Wiring {
  const calls = new PaprTceHypercalls(() => undefined);
  const bridges = [0, 1].map((index) => new PaprHostBridge({ index }, calls));
  return {
    space: (device) => bridges[device === 'disk' ? 1 : 0]!.addressSpace,
    mapBuffers() {
      const { liobn } = bridges[0]!.tables[0]!;
      for (let page = 0; page < PAGES; page += 1)
        calls.put(liobn, page * 4096, BigInt(page * 4096 + 3));
    },
  };
}

/** Runs a guest on the machine, and draws which containers there are, for whom, and why. */
function draw(print: Print, title: string, model: UsageModel, type: ContainerType, wiring: Wiring) {
  const machine = new Machine();
  const system = new AddressSpace('system memory');
  system.add(0, RAM.size, { type: 'ram', name: 'RAM', address: RAM.address });
  const plan = {
    ram: [{ start: 0, end: RAM.size }],
    windows: [{ start: 0, end: 2 ** 30 }],
    makesWindows: false,
    guestPage: 4096,
    hostPage: 4096,
    mappings: 1000,
  };
  const monitor = new Monitor({ model, provider: machine.containers(type), system, plan });
  print(`\n${title}  [${model.name} on ${type}]`);
  print(`  who may share: ${model.sharedBy}`);
  print(`  who fills it:  ${model.filledBy}`);
  const refused: string[] = [];
  for (const name of Object.keys(DEVICES) as DeviceName[])
    try {
      const addressSpace = wiring.space(name, system);
      monitor.connect({ name, group: machine.group(name), addressSpace });
    } catch (error) {
      refused.push(`  ✗ ${(error as Error).message}`);
    }
  const count = () => monitor.spaces.map(({ space }) => space.snapshot().mappings.length);
  const [mappedBefore, locked] = [count(), machine.process.lockedBytes];
  wiring.mapBuffers();
  const mapped = count().map((now, index) => now - mappedBefore[index]!);
  for (const [index, { key, space }] of monitor.spaces.entries()) {
    const inside = space.groups.map(({ devices }) => devices.map(({ name }) => name).join('+'));
    print(
      `  ${key.name.padEnd(14)} ─── ${space.label.padEnd(27)} ─── ${inside.join(', ')}: ${mappedBefore[index]} + ${mapped[index]} mappings`,
    );
  }
  for (const line of refused) print(line);
  const cost = mapped.reduce((sum, calls) => sum + calls, 0);
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(bytes % 2 ** 20 ? 2 : 0)} MiB`;
  print(
    `  → a driver maps 16 pages: ${cost} maps on the host; locked ${mib(locked)} before, ${mib(machine.process.lockedBytes)} after`,
  );
}

/** The same machine, four guests; then the first PAPR design beside today's where both see what they were made for. */
export function main(print: Print): void {
  print('One machine: group 0 = gpu+audio, group 1 = nic, group 2 = disk. Guests of 8 MiB.');
  draw(print, 'A guest without an IOMMU', MAP_ALL, 'type1 v2', plain());
  draw(print, 'A guest with an IOMMU of its own', SHADOW, 'type1 v2', guarded());
  draw(print, 'A pseries guest, today', PAPR_BRIDGE, 'spapr-tce v2', pseries());
  draw(print, 'A pseries guest, as first proposed', NAMED_BRIDGE, 'spapr-tce v1', pseries());
  print('\nThe same policies on other IOMMUs');
  draw(print, 'A pseries guest, on an x86 host', PAPR_BRIDGE, 'type1 v2', pseries());
  draw(print, 'A pseries guest, one group to a container', PAPR_BRIDGE, 'spapr-tce v1', pseries());
  draw(print, 'A guest without an IOMMU, on POWER', MAP_ALL, 'spapr-tce v2', plain());
}
