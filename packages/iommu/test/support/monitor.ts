import {
  type AddressPlan,
  AddressSpace,
  type AssignedDevice,
  ContainerProvider,
  type ContainerType,
  GENERIC_IOMMU,
  GuestDomain,
  GuestEndpoint,
  IoasProvider,
  Monitor,
  PaprHostBridge,
  PaprTceHypercalls,
  POWERNV,
  type SpaceProvider,
  type UsageModel,
} from '@vfiokit/iommu';
import { ARENA, StubDevice, TestHost } from './host.js';

/** Kinds of spaces. */
export type ProviderName = ContainerType | 'iommufd';

const RAM_SIZE = 0x800000;

/** A guest of 8 MiB at 0 on a host, with two PAPR bridges and an IOMMU of its own. */
export class Guest {
  readonly host: TestHost;
  readonly system = new AddressSpace('system memory');
  readonly calls: PaprTceHypercalls;
  readonly bridges: readonly PaprHostBridge[];
  readonly domain = new GuestDomain('domain 0');
  readonly monitor: Monitor;
  readonly provider: SpaceProvider;

  constructor(
    readonly kind: ProviderName,
    readonly model: UsageModel,
    {
      plan = {},
      ram = true,
      wrap = (provider) => provider,
    }: {
      plan?: Partial<AddressPlan>;
      ram?: boolean;
      wrap?: (provider: SpaceProvider) => SpaceProvider;
    } = {},
  ) {
    this.host = new TestHost({
      backends: ['type1', 'spapr-tce', 'noiommu'],
      parameters: { enableUnsafeNoiommuMode: true },
    });
    this.calls = new PaprTceHypercalls((guest, length) =>
      this.host.arena.subarray(guest, guest + length),
    );
    this.bridges = [0, 1].map((index) => new PaprHostBridge({ index }, this.calls));
    if (ram) this.system.add(0, RAM_SIZE, { type: 'ram', name: 'RAM', address: ARENA });
    const { host } = this;
    this.provider = wrap(
      kind === 'iommufd'
        ? new IoasProvider(host.dev, host.groups, host.process)
        : new ContainerProvider(host.dev, host.parameters, host.process, kind),
    );
    this.monitor = new Monitor({
      model,
      provider: this.provider,
      system: this.system,
      plan: {
        ram: [{ start: 0, end: RAM_SIZE }],
        windows: [{ start: 0, end: 0x40000000 }],
        makesWindows: false,
        guestPage: 4096,
        hostPage: 4096,
        mappings: 4096,
        ...plan,
      },
    });
  }

  /** A device of the host in the guest, in an address space of the guest's. */
  assign(addressSpace: AddressSpace = this.system, device = this.hostDevice()): Assigned {
    const group = this.host.groups.groupOf(device)!;
    return { name: device.name, group, addressSpace, device };
  }

  hostDevice(): StubDevice {
    if (this.kind === 'noiommu') {
      const bare = new StubDevice(`0000:01:0${[...this.host.groups].length}.0`, undefined);
      this.host.groups.register(bare);
      return bare;
    }
    return this.host.device({
      caps: { ...GENERIC_IOMMU, nesting: 1, tce: POWERNV, dirtyTracking: true },
    });
  }

  /** The address space of a device behind the guest's own IOMMU. */
  endpoint(name = 'endpoint'): GuestEndpoint {
    const endpoint = new GuestEndpoint(name);
    this.domain.attach(endpoint);
    return endpoint;
  }

  /** What is mapped in each space, as text. */
  contents(): string[][] {
    return this.monitor.spaces.map(({ space }) =>
      space
        .snapshot()
        .mappings.map(
          ({ iova, size, target }) =>
            `${iova.toString(16)}+${size.toString(16)}=${target.toString(16)}`,
        ),
    );
  }
}

/** An assigned device with the host's device behind it. */
export interface Assigned extends AssignedDevice {
  readonly device: StubDevice;
}
