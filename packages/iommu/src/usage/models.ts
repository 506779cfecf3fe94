import { EOPNOTSUPP, errnoName } from '@vfiokit/uapi';
import type { AddressSpace } from '../vmm/address-space.js';
import type { DmaSpace } from '../vmm/dma-space.js';
import { type FillerOptions, MemoryRegistrar, SpaceFiller } from '../vmm/space-filler.js';
import { covers, fixedRanges, granularity, missing, nesting, protection, slots } from './needs.js';
import type { UsageModel } from './usage-model.js';

/** Fills a space from an address space; memory is registered first where that is asked for. */
function follow(space: DmaSpace, source: AddressSpace, options: FillerOptions): () => void {
  const stopRegistering = space.capabilities.registersMemory
    ? options.system.listen(new MemoryRegistrar(space, options))
    : () => {};
  const stopFilling = source.listen(new SpaceFiller(space, options));
  return () => {
    stopFilling();
    stopRegistering();
  };
}

/** All of the guest's memory is mapped for all of its devices: a guest without an IOMMU. */
export const MAP_ALL: UsageModel = {
  name: 'map-all',
  sharedBy: 'all devices, because each may reach all memory',
  filledBy: "the guest's memory",
  otherwise: 'create',
  groupsPerSpace: null,
  lacks: (capabilities, { ram, hostPage }) =>
    missing(capabilities, [
      protection,
      fixedRanges,
      covers(ram, "the guest's memory"),
      granularity(hostPage, "the host's"),
    ]),
  key: (_device, system) => system,
  populate: (space, _device, options) => follow(space, options.system, options),
};

/** Each host bridge of a PAPR guest has DMA windows of its own, which the guest fills by hypercall. */
export const PAPR_BRIDGE: UsageModel = {
  name: 'papr-bridge',
  sharedBy: 'the devices below one bridge, which has windows of its own',
  filledBy: "the bridge's windows, by hypercall",
  otherwise: 'create',
  groupsPerSpace: null,
  lacks: (capabilities, { windows, guestPage }) =>
    missing(capabilities, [
      protection,
      covers(windows, "the bridge's window"),
      granularity(guestPage, "the guest's"),
    ]),
  key: ({ addressSpace }) => addressSpace,
  populate: (space, { addressSpace }, options) => follow(space, addressSpace, options),
};

/**
 * A PAPR bridge as it was first proposed: the bridge names its one group, and its container is that group's. Nothing
 * falls back to another space.
 */
export const NAMED_BRIDGE: UsageModel = {
  ...PAPR_BRIDGE,
  name: 'named-bridge',
  sharedBy: 'nobody: a bridge is made for one group',
  filledBy: "the one group's default window, by hypercall",
  otherwise: 'refuse',
  groupsPerSpace: 1,
};

/** What a guest maps with its virtual IOMMU is mapped for the devices of that domain, one by one. */
export const SHADOW: UsageModel = {
  name: 'shadow',
  sharedBy: "the devices that the guest's IOMMU cannot tell apart",
  filledBy: "the guest's IOMMU, event by event",
  otherwise: 'create',
  groupsPerSpace: null,
  lacks: (capabilities, { guestPage, mappings, windows }) =>
    missing(capabilities, [
      protection,
      fixedRanges,
      covers(windows, "what the guest's IOMMU can map"),
      granularity(guestPage, "the guest's"),
      slots(mappings),
    ]),
  key: ({ addressSpace }) => addressSpace,
  populate: (space, { addressSpace }, options) => follow(space, addressSpace, options),
};

/** Hardware walks the guest's page tables, on top of all of its memory. */
export const NESTED: UsageModel = {
  name: 'nested',
  sharedBy: "all devices: what keeps them apart are the guest's page tables",
  filledBy: "the guest's memory; its page tables are walked by hardware",
  otherwise: 'create',
  groupsPerSpace: null,
  lacks: (capabilities, plan) => [
    ...MAP_ALL.lacks(capabilities, plan),
    ...missing(capabilities, [nesting]),
  ],
  key: (_device, system) => system,
  populate(space, device, options) {
    const stop = follow(space, options.system, options);
    const table = device.guestTable?.();
    const result = table === undefined ? 0 : (space.nest?.(device.group, table) ?? -EOPNOTSUPP);
    if (result !== 0)
      options.report({
        severity: 'fatal',
        message: `${device.name}: the guest's page table cannot be used: ${errnoName(result)}`,
      });
    return stop;
  },
};

/** A user-space driver maps its buffers itself. */
export const EXPLICIT: UsageModel = {
  name: 'explicit',
  sharedBy: 'whatever the application puts together',
  filledBy: 'the application',
  otherwise: 'create',
  groupsPerSpace: null,
  lacks: (capabilities, { hostPage }) =>
    missing(capabilities, [protection, granularity(hostPage, "the host's")]),
  key: ({ addressSpace }) => addressSpace,
  populate: () => () => {},
};

/** Every model that this package has. */
export const ALL_USAGE_MODELS: readonly UsageModel[] = [
  MAP_ALL,
  PAPR_BRIDGE,
  NAMED_BRIDGE,
  SHADOW,
  NESTED,
  EXPLICIT,
];
