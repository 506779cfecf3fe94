import {
  AddressSpace,
  type AssignedDevice,
  type DmaSpace,
  type IommuEvent,
  type SpaceCapabilities,
  type UsageModel,
} from '@vfiokit/iommu';
import { expect } from 'vitest';
import { type ContractCases, type Declines, describeContract } from './contract.js';

const RAM_SIZE = 0x800000;

const EVERYTHING: SpaceCapabilities = {
  name: 'everything',
  protects: true,
  pageSizes: 0x1000n,
  ranges: [{ start: 0, end: 2 ** 64 }],
  maxMappings: null,
  maxGroups: null,
  dynamicWindows: false,
  registersMemory: false,
  mapsDeviceMemory: true,
  nesting: true,
  outlivesGroups: true,
};

const PLAN = {
  ram: [{ start: 0, end: RAM_SIZE }],
  windows: [{ start: 0, end: 2 ** 30 }],
  makesWindows: false,
  guestPage: 4096,
  hostPage: 4096,
  mappings: 1000,
};

/** An IOMMU of the guest's that leads one page somewhere, and may be told to lead another. */
class GuestWindow {
  readonly #listeners = new Set<(event: IommuEvent) => void>();
  readonly region = {
    type: 'iommu',
    name: 'window',
    page: 4096,
    pageShift: 12,
    subscribe: (listener: (event: IommuEvent) => void) => {
      this.#listeners.add(listener);
      listener({ iova: 0x10000, size: 4096, target: 0x3000, access: 3 });
      return () => this.#listeners.delete(listener);
    },
  } as const;

  map(iova: number): void {
    for (const listener of this.#listeners)
      listener({ iova, size: 4096, target: 0x4000, access: 3 });
  }
}

/** A space that counts what lives in it, and fails a case that asks for what it does not have. */
class CountingSpace implements DmaSpace {
  readonly label = 'space';
  readonly groups = [{}] as unknown as DmaSpace['groups'];
  readonly mapped = new Set<number>();
  readonly registered = new Set<number>();

  constructor(readonly capabilities: SpaceCapabilities) {}

  accept = () => 0;
  expel = () => 0;
  map(iova: number): number {
    this.mapped.add(iova);
    return 0;
  }
  unmap(iova: number, size: number): number {
    for (const at of this.mapped) if (at >= iova && at < iova + size) this.mapped.delete(at);
    return size;
  }
  addWindow = ({ start }: { readonly start: number }) =>
    this.#needs('dynamicWindows', 'addWindow', { start });
  removeWindow = () => this.#needs('dynamicWindows', 'removeWindow', 0);
  register(address: number): number {
    this.registered.add(address);
    return this.#needs('registersMemory', 'register', 0);
  }
  unregister(address: number): number {
    this.registered.delete(address);
    return this.#needs('registersMemory', 'unregister', 0);
  }
  nest = () => this.#needs('nesting', 'nest', 0);
  windows = () => this.capabilities.ranges;
  snapshot = () => ({ kind: '', pageSizes: 0n, available: null, ranges: [], mappings: [] });
  close(): void {}

  #needs<T>(capability: keyof SpaceCapabilities, operation: string, result: T): T {
    expect(this.capabilities[capability], `${operation} is there only with ${capability}`).toBe(
      true,
    );
    return result;
  }
}

/** The contract of {@link UsageModel}: what a monitor relies on. */
export function describeUsageModel(make: () => UsageModel, declines: Declines = {}): void {
  describeContract(`${make().name} as a usage model`, usageModelCases(make), declines);
}

/** The cases by title, to be run by {@link describeUsageModel}. */
export function usageModelCases(make: () => UsageModel): ContractCases {
  const guest = () => {
    const system = new AddressSpace('system memory');
    system.add(0, RAM_SIZE, { type: 'ram', name: 'RAM', address: 2 ** 40 });
    const own = new AddressSpace('own');
    const window = new GuestWindow();
    own.add(0, 2 ** 30, window.region);
    const device = { name: 'device', group: {}, addressSpace: own } as unknown as AssignedDevice;
    return { model: make(), system, own, window, device };
  };
  return {
    'says who shares and who fills, for people'() {
      const { name, sharedBy, filledBy } = make();
      for (const text of [name, sharedBy, filledBy]) expect(text).toMatch(/\S/);
    },
    'lacks nothing in spaces that can do everything'() {
      expect(make().lacks(EVERYTHING, PLAN)).toEqual([]);
    },
    'names what is missing in spaces that protect nothing'() {
      const lacks = make().lacks({ ...EVERYTHING, protects: false, ranges: [] }, PLAN);
      expect(lacks).not.toEqual([]);
      for (const text of lacks) expect(text).toMatch(/^\w+: \S/);
    },
    'decides by what spaces can do, not by what they are called'() {
      const model = make();
      const less = { ...EVERYTHING, nesting: false, ranges: [{ start: 0, end: 4096 }] };
      for (const capabilities of [EVERYTHING, less]) {
        const [one, ...others] = ['everything', 'type1 v2', 'spapr-tce v1', 'iommufd'].map((name) =>
          model.lacks({ ...capabilities, name }, PLAN),
        );
        for (const other of others) expect(other).toEqual(one);
      }
    },
    "files a device under the guest's memory or its own address space, always the same"() {
      const { model, system, own, device } = guest();
      const key = model.key(device, system);
      expect([system, own]).toContain(key);
      expect(model.key(device, system)).toBe(key);
    },
    'asks only for what spaces say that they can do'() {
      const { model, system, device } = guest();
      for (const nesting of [true, false])
        for (const registersMemory of [true, false])
          for (const dynamicWindows of [true, false]) {
            const can = { nesting, registersMemory, dynamicWindows };
            const space = new CountingSpace({ ...EVERYTHING, ...can });
            model.populate(space, device, { system, hostPage: 4096, report: () => {} })();
          }
    },
    'leaves nothing mapped or registered when it is stopped'() {
      const { model, system, device } = guest();
      const space = new CountingSpace({ ...EVERYTHING, registersMemory: true });
      model.populate(space, device, { system, hostPage: 4096, report: () => {} })();
      expect([...space.mapped, ...space.registered]).toEqual([]);
    },
    'follows the guest no longer once it is stopped'() {
      const { model, system, own, window, device } = guest();
      const space = new CountingSpace(EVERYTHING);
      model.populate(space, device, { system, hostPage: 4096, report: () => {} })();
      window.map(0x20000);
      for (const addressSpace of [system, own])
        addressSpace.add(RAM_SIZE, 0x1000, { type: 'ram', name: 'late', address: 2 ** 41 });
      expect([...space.mapped]).toEqual([]);
    },
  };
}
