import {
  type AddressPlan,
  type AddressRange,
  AddressSpace,
  type AssignedDevice,
  BareDevice,
  ContainerProvider,
  DevVfio,
  type DmaSpace,
  GuestDomain,
  GuestEndpoint,
  IOMMU_PARAMETERS,
  IoasProvider,
  type Iommu,
  IommuGroups,
  type IommuParameters,
  Monitor,
  PaprHostBridge,
  PaprTceHypercalls,
  type ReservedRegion,
  registerIommu,
  type SpaceProvider,
  type VfioGroup,
  VfioGroups,
} from '@vfiokit/iommu';
import { Process } from '@vfiokit/uapi';
import { type DependencyContainer, container as root } from 'tsyringe';
import type { GuestChoice } from './guest-choice.js';

/** An IOMMU group as a monitor meets it. */
export interface HostGroup {
  readonly id: number;
  readonly members: readonly string[];
  readonly iommu: Iommu;
  readonly reserved: readonly ReservedRegion[];
}

const GIB = 2 ** 30;
/** Where the monitor has the guest's memory. */
const RAM_AT = 2 ** 44;
/** A PAPR bridge's default window. */
const BRIDGE_WINDOW = GIB;
/** What 32-bit devices reach: so much a guest's IOMMU has to be able to map. */
const REACH_32 = 4 * GIB;
/** Mappings that a guest with an IOMMU of its own has at a time. */
const GUEST_MAPPINGS = 4096;

/**
 * A guest as it would be: groups of a machine are given to it, on paper. Which devices share a space is the usage model's
 * affair, what holds the mappings is the host's; the machine itself is not touched.
 */
export class AssignedGuest {
  readonly monitor: Monitor;
  readonly #services: DependencyContainer = root.createChildContainer();
  readonly #process = new Process();
  readonly #system = new AddressSpace('system memory');
  readonly #bridge = new PaprHostBridge({ index: 0 }, new PaprTceHypercalls(() => undefined));
  readonly #groups: ReadonlyMap<string, VfioGroup>;
  readonly #own = new Map<VfioGroup, AddressSpace>();

  constructor(
    groups: readonly HostGroup[],
    readonly choice: GuestChoice,
  ) {
    registerIommu(this.#services, {
      backends: ['type1', 'spapr-tce', 'noiommu'],
      parameters: { pageSize: choice.hostPage },
    });
    this.#groups = this.#offer(groups);
    const { memory } = choice;
    let address = RAM_AT;
    for (const { start, end } of memory) {
      const size = end - start;
      this.#process.memory.map({ address, size, writable: true });
      this.#system.add(start, size, { type: 'ram', name: 'RAM', address });
      address += size;
    }
    this.monitor = new Monitor({
      model: choice.usage,
      provider: this.#provider(),
      system: this.#system,
      plan: this.#plan(),
    });
  }

  /**
   * Gives a device to the guest.
   *
   * @throws VfioError EOPNOTSUPP (the pair of model and space cannot work: it says which capability is missing), and what
   * the space refuses with.
   */
  assign(name: string): DmaSpace {
    const group = this.#groups.get(name)!;
    const device: AssignedDevice = { name, group, addressSpace: this.#addressSpaceOf(group) };
    return this.monitor.connect(device);
  }

  /** VFIO drives all groups: what drives them now is nothing that a plan has to wait for. */
  #offer(groups: readonly HostGroup[]): ReadonlyMap<string, VfioGroup> {
    const iommuGroups = this.#services.resolve(IommuGroups);
    const vfio = this.#services.resolve(VfioGroups);
    const offered = new Map<string, VfioGroup>();
    for (const { members, ...options } of groups) {
      const group = iommuGroups.create(options);
      for (const name of members) offered.set(name, vfio.register(new BareDevice(name, group)));
    }
    return offered;
  }

  #provider(): SpaceProvider {
    const dev = this.#services.resolve(DevVfio);
    const { space } = this.choice;
    if (space === 'iommufd')
      return new IoasProvider(dev, this.#services.resolve(VfioGroups), this.#process);
    const parameters = this.#services.resolve<IommuParameters>(IOMMU_PARAMETERS);
    return new ContainerProvider(dev, parameters, this.#process, space);
  }

  #plan(): AddressPlan {
    return {
      ram: this.choice.memory,
      windows: this.choice.usage.name === 'shadow' ? this.#shadowed() : [BRIDGE],
      makesWindows: false,
      guestPage: 4096,
      hostPage: this.choice.hostPage,
      mappings: GUEST_MAPPINGS,
    };
  }

  /** A guest's IOMMU is told where nobody may map, and stays where its devices reach. */
  #shadowed(): readonly AddressRange[] {
    const [group] = this.#groups.values();
    const [first] = group?.iommuGroup.usable ?? [];
    if (first === undefined) return [];
    return [{ start: first.start, end: Math.min(first.end, first.start + REACH_32) }];
  }

  /** What devices of a group see in the guest. What the host cannot tell apart, the guest must not either. */
  #addressSpaceOf(group: VfioGroup): AddressSpace {
    switch (this.choice.usage.name) {
      case 'papr-bridge':
      case 'named-bridge':
        return this.#bridge.addressSpace;
      case 'map-all':
      case 'nested':
        return this.#system;
      default: {
        const known = this.#own.get(group);
        if (known !== undefined) return known;
        const own = this.#ownSpace(group);
        this.#own.set(group, own);
        return own;
      }
    }
  }

  #ownSpace({ id }: VfioGroup): AddressSpace {
    if (this.choice.usage.name !== 'shadow') return new AddressSpace('the application');
    const endpoint = new GuestEndpoint(`domain of group ${id}`);
    new GuestDomain(endpoint.name).attach(endpoint);
    return endpoint.addressSpace;
  }
}

const BRIDGE: AddressRange = { start: 0, end: BRIDGE_WINDOW };
