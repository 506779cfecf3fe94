import {
  PCI_CAP_ID_EXP,
  PCI_CAPABILITY_LIST,
  PCI_CFG_SPACE_EXP_SIZE,
  PCI_CFG_SPACE_SIZE,
  PCI_CLASS_BRIDGE_PCI,
  PCI_CLASS_REVISION,
  PCI_DEVICE_ID,
  PCI_EXP_TYPE_ROOT_PORT,
  PCI_EXT_CAP_ID_SRIOV,
  PCI_HEADER_TYPE,
  PCI_HEADER_TYPE_BRIDGE,
  PCI_SECONDARY_BUS,
  PCI_SRIOV_CTRL,
  PCI_STATUS,
  PCI_STATUS_CAP_LIST,
  PCI_SUBORDINATE_BUS,
  PCI_VENDOR_ID,
  PciAddress,
} from '@vfiokit/pci';
import type { RecordedDevice, RecordedFunction } from '../trace/trace.js';
import { type FunctionPlan, idsOf } from './function-plan.js';
import { SRIOV_ENABLED } from './sriov-registers.js';

/** Where a neighbour's PCI Express capability is put. */
const EXPRESS = 0x40;
const EXPRESS_VERSION = 2;

/** Where a bridge leads, seen from the paths of the functions that were recorded: by its address. */
export function busesBehind(devices: readonly RecordedDevice[]): ReadonlyMap<string, number> {
  const behind = new Map<string, number>();
  for (const { path = '' } of devices) {
    const addresses = path.split('/').map((part) => PciAddress.tryParse(part));
    for (const [i, bridge] of addresses.entries()) {
      const below = addresses[i + 1];
      if (bridge !== undefined && below !== undefined) behind.set(bridge.toString(), below.bus);
    }
  }
  return behind;
}

/** What is known of a function that was not recorded itself, from those that were. */
export interface NeighbourFacts {
  /** The bus behind it, if it is a bridge. */
  readonly secondary: number | undefined;
  /** It is the PF of a function that was recorded. */
  readonly hasVfs: boolean;
}

/** A function of which only ids and class were recorded: enough to be found on its bus. */
export function planNeighbour(
  recorded: RecordedFunction,
  { secondary, hasVfs }: NeighbourFacts,
): FunctionPlan {
  const config = new Uint8Array(PCI_CFG_SPACE_EXP_SIZE);
  const view = new DataView(config.buffer);
  const ids = idsOf(recorded);
  view.setUint16(PCI_VENDOR_ID, ids.vendor!, true);
  view.setUint16(PCI_DEVICE_ID, ids.device!, true);
  view.setUint32(PCI_CLASS_REVISION, (ids.class! << 8) | Number(recorded.revision ?? 0), true);
  if (hasVfs) {
    // SR-IOV with its VFs enabled and their memory decoded.
    view.setUint32(PCI_CFG_SPACE_SIZE, (1 << 16) | PCI_EXT_CAP_ID_SRIOV, true);
    config[PCI_CFG_SPACE_SIZE + PCI_SRIOV_CTRL] = SRIOV_ENABLED;
  }
  if (ids.class! >>> 8 === PCI_CLASS_BRIDGE_PCI && secondary !== undefined) {
    config[PCI_HEADER_TYPE] = PCI_HEADER_TYPE_BRIDGE;
    config[PCI_SECONDARY_BUS] = secondary;
    config[PCI_SUBORDINATE_BUS] = secondary;
    // Ports of PCI Express are the only bridges that a machine has several of; its links work.
    config[PCI_STATUS] = PCI_STATUS_CAP_LIST;
    config[PCI_CAPABILITY_LIST] = EXPRESS;
    const flags = (PCI_EXP_TYPE_ROOT_PORT << 4) | EXPRESS_VERSION;
    config.set([PCI_CAP_ID_EXP, 0x00, flags, 0x00], EXPRESS);
  }
  return {
    wasReset: false,
    description: { config },
    facts: { ids, resetMethods: [] },
    blocks: [],
    attach() {},
    learnRom() {},
  };
}
