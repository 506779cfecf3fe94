import {
  AddressSpace,
  type AssignedDevice,
  type DmaSpace,
  type SpaceCapabilities,
  type UsageModel,
} from '@vfiokit/iommu';
import { describe, expect, test } from 'vitest';

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
  ram: [{ start: 0, end: 0x800000 }],
  windows: [{ start: 0, end: 2 ** 30 }],
  makesWindows: false,
  guestPage: 4096,
  hostPage: 4096,
  mappings: 1000,
};

/** A space that counts what lives in it, and fails a case that asks for what it does not have. */
function space(capabilities: SpaceCapabilities): DmaSpace & { readonly live: Set<number> } {
  const live = new Set<number>();
  const missing = (what: string) => () => {
    throw new Error(`${what} is not there, and was asked for`);
  };
  return {
    live,
    capabilities,
    label: 'space',
    groups: [{}] as unknown as DmaSpace['groups'],
    accept: () => 0,
    expel: () => 0,
    map(iova) {
      live.add(iova);
      return 0;
    },
    unmap: (iova, size) => {
      for (const at of [...live]) if (at >= iova && at < iova + size) live.delete(at);
      return size;
    },
    addWindow: missing('addWindow'),
    removeWindow: missing('removeWindow'),
    register: missing('register'),
    unregister: missing('unregister'),
    ...(capabilities.nesting ? { nest: () => 0 } : { nest: missing('nest') }),
    windows: () => capabilities.ranges,
    snapshot: () => ({ kind: '', pageSizes: 0n, available: null, ranges: [], mappings: [] }),
    close: () => {},
  };
}

/** The contract of {@link UsageModel}: what a monitor relies on. */
export function describeUsageModel(model: UsageModel): void {
  const system = new AddressSpace('system memory');
  system.add(0, 0x800000, { type: 'ram', name: 'RAM', address: 2 ** 40 });
  const own = new AddressSpace('own');
  const device = { name: 'device', group: {}, addressSpace: own } as unknown as AssignedDevice;

  describe(`${model.name} as a usage model`, () => {
    test('says who shares and who fills, for people', () => {
      for (const text of [model.name, model.sharedBy, model.filledBy]) expect(text).toMatch(/\S/);
    });

    test('lacks nothing in spaces that can do everything, and something in those that protect nothing', () => {
      expect(model.lacks(EVERYTHING, PLAN)).toEqual([]);
      expect(model.lacks({ ...EVERYTHING, protects: false, ranges: [] }, PLAN)).not.toEqual([]);
    });

    test('decides by what spaces can do, not by what they are called', () => {
      expect(model.lacks({ ...EVERYTHING, name: 'spapr-tce v1' }, PLAN)).toEqual([]);
      const less = { ...EVERYTHING, nesting: false, ranges: [{ start: 0, end: 4096 }] };
      expect(model.lacks({ ...less, name: 'x' }, PLAN)).toEqual(
        model.lacks({ ...less, name: 'y' }, PLAN),
      );
    });

    test('files a device under the guest’s memory or its own address space, always the same', () => {
      const key = model.key(device, system);
      expect([system, own]).toContain(key);
      expect(model.key(device, system)).toBe(key);
    });

    test('asks for nothing that spaces do not have, and leaves nothing when it is stopped', () => {
      for (const nesting of [true, false]) {
        const target = space({ ...EVERYTHING, nesting });
        const stop = model.populate(target, device, { system, hostPage: 4096, report: () => {} });
        stop();
        expect([...target.live]).toEqual([]);
      }
    });
  });
}
