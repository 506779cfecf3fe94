import {
  type FunctionDescription,
  PCI_CAP_ID_PM,
  PCI_PM_CTRL,
  PCI_PM_CTRL_STATE_MASK,
  PCI_SRIOV_CTRL,
  walkCapabilities,
} from '@vfiokit/pci';
import type { HwProbe } from '../trace/trace.js';
import { sriovOf } from './sriov-registers.js';
import { unhex } from './unhex.js';

/** How the registers of a probed function react to writes; nothing for one that was not probed. */
export function probedMasks(
  probe: HwProbe | undefined,
  config: Uint8Array,
): Pick<FunctionDescription, 'writeMask' | 'write1ToClear' | 'hardwired'> {
  if (probe === undefined) return {};
  return {
    writeMask: unhex(probe.wmask),
    write1ToClear: clearedByOne(probe, config),
    hardwired: hardwired(probe, config.length),
  };
}

/** What the probe saw being cleared by 1. It wrote 0 to the SR-IOV control register, which tells nothing. */
function clearedByOne({ w1c_seen }: HwProbe, config: Uint8Array): Uint8Array {
  const bits = unhex(w1c_seen);
  const sriov = sriovOf(config);
  if (sriov !== undefined) bits.fill(0, sriov + PCI_SRIOV_CTRL, sriov + PCI_SRIOV_CTRL + 2);
  return bits;
}

/** Bits that do not follow writes although their capability says so: D-states of a function that has only D0. */
function hardwired({ in_raw_d3hot }: HwProbe, size: number): Uint8Array {
  const bits = new Uint8Array(size);
  if (in_raw_d3hot === undefined) return bits;
  const asleep = new Uint8Array(size);
  asleep.set(unhex(in_raw_d3hot));
  const pm = walkCapabilities(asleep).capabilities.find(({ id }) => id === PCI_CAP_ID_PM);
  if (
    pm !== undefined &&
    (asleep[pm.at + PCI_PM_CTRL]! & PCI_PM_CTRL_STATE_MASK) !== PCI_PM_CTRL_STATE_MASK
  )
    bits[pm.at + PCI_PM_CTRL] = PCI_PM_CTRL_STATE_MASK;
  return bits;
}
