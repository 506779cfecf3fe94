import { PciAddress } from '@vfiokit/pci';
import type { RecordedDevice, RecordedFunction } from '../trace/trace.js';
import { type FunctionPlan, idsOf } from './function-plan.js';
import { SRIOV_ENABLED } from './sriov-registers.js';

const HEADER_TYPE = 0x0e;
const SECONDARY_BUS = 0x19;
const CLASS_BRIDGE = 0x0604;
const EXPRESS = 0x40;
const EXPRESS_ROOT_PORT = 0x42;

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

const SRIOV = 0x100;

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
  const config = new Uint8Array(4096);
  const view = new DataView(config.buffer);
  const ids = idsOf(recorded);
  view.setUint16(0x00, ids.vendor!, true);
  view.setUint16(0x02, ids.device!, true);
  view.setUint32(0x08, (ids.class! << 8) | Number(recorded.revision ?? 0), true);
  if (hasVfs) {
    // SR-IOV with its VFs enabled and their memory decoded.
    view.setUint32(SRIOV, 0x00010010, true);
    config[SRIOV + 8] = SRIOV_ENABLED;
  }
  if (ids.class! >>> 8 === CLASS_BRIDGE && secondary !== undefined) {
    config[HEADER_TYPE] = 1;
    config[SECONDARY_BUS] = secondary;
    config[SECONDARY_BUS + 1] = secondary;
    // Ports of PCI Express are the only bridges that a machine has several of; its links work.
    config[0x06] = 0x10;
    config[0x34] = EXPRESS;
    config.set([0x10, 0x00, EXPRESS_ROOT_PORT, 0x00], EXPRESS);
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
