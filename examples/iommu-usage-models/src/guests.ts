import {
  AddressSpace,
  type DmaSpace,
  GuestDomain,
  GuestEndpoint,
  type GuestTableRoot,
  PaprHostBridge,
  PaprTceHypercalls,
} from '@vfiokit/iommu';
import { DEVICES, type DeviceName, RAM } from './machine.js';

/** Buffers of one page that the guest's network driver maps. */
export const BUFFERS = 16;

/** How a guest's devices are wired, and what its network driver does to map its buffers. */
export interface Wiring {
  /** What a device's DMA goes through in the guest. */
  readonly addressSpace: (device: DeviceName, system: AddressSpace) => AddressSpace;
  readonly guestTable?: () => GuestTableRoot;
  /** What the guest does for a buffer. */
  readonly step: string;
  /** @param space what the network card's DMA goes through, if it got through. */
  readonly mapBuffers: (space: DmaSpace | undefined) => void;
}

const nothing = { step: 'does nothing: all memory is mapped', mapBuffers: () => {} };

/** No IOMMU: every device sees the guest's memory. */
export const plain = (): Wiring => ({ addressSpace: (_device, system) => system, ...nothing });

/** No IOMMU either, but the monitor tells the groups apart. */
export function apart(): Wiring {
  const views = [0, 1, 2].map((group) => new AddressSpace(`view ${group}`));
  return { addressSpace: (device) => views[DEVICES[device]]!, ...nothing };
}

/** An application that maps its buffers itself; it has no guest. */
export function application(): Wiring {
  const addressSpace = new AddressSpace('the application');
  return {
    addressSpace: () => addressSpace,
    step: 'makes a call',
    mapBuffers(space) {
      if (space?.capabilities.registersMemory) space.register?.(RAM.address, RAM.size);
      if (space?.capabilities.dynamicWindows)
        space.addWindow?.({ start: 0, size: 2 ** 30, pageShift: 12 });
      for (let page = 0; page < BUFFERS; page += 1)
        space?.map(page * 4096, RAM.address + page * 4096, 4096, 3);
    },
  };
}

/** An IOMMU of the guest's own that hardware walks: the guest writes page tables, and nobody hears of it. */
export const walked = (): Wiring => ({
  ...plain(),
  guestTable: () => ({ root: 0x1000, width: 48 }),
  step: 'writes a page table, which is walked',
});

/** An IOMMU of the guest's own that the monitor plays: a domain for each device, but the functions of a card are one. */
export function guarded(): Wiring {
  const endpoints = { gpu: endpoint(0), nic: endpoint(1), disk: endpoint(2) };
  return {
    addressSpace: (device) => endpoints[device === 'audio' ? 'gpu' : device].addressSpace,
    step: 'maps it in its IOMMU, which exits',
    mapBuffers() {
      for (let page = 0; page < BUFFERS; page += 1)
        endpoints.nic.domain?.map(page * 8192, 4096, page * 4096, 3);
    },
  };
}

function endpoint(domain: number): GuestEndpoint {
  const made = new GuestEndpoint(`domain ${domain}`);
  new GuestDomain(made.name).attach(made);
  return made;
}

/** PAPR: the cards below one host bridge, the disk below another. */
export const pseries = () => bridged((device) => (device === 'disk' ? 1 : 0));

/** PAPR as bridges were first proposed, which take one group each: the guest has to have a bridge for every group. */
export const pseriesByGroup = () => bridged((device) => DEVICES[device]);

function bridged(bridgeOf: (device: DeviceName) => number): Wiring {
  const calls = new PaprTceHypercalls(() => undefined);
  const bridges = [0, 1, 2].map((index) => new PaprHostBridge({ index }, calls));
  const bridge = (device: DeviceName) => bridges[bridgeOf(device)]!;
  return {
    addressSpace: (device) => bridge(device).addressSpace,
    step: 'calls H_PUT_TCE',
    mapBuffers() {
      const { liobn } = bridge('nic').tables[0]!;
      for (let page = 0; page < BUFFERS; page += 1)
        calls.put(liobn, page * 4096, BigInt(page * 4096 + 3));
    },
  };
}
