import {
  PCI_CAP_ID_EXP,
  PCI_CAPABILITY_LIST,
  PCI_CLASS_REVISION,
  PCI_EXP_FLAGS_TYPE,
  PCI_STATUS,
  PCI_STATUS_CAP_LIST,
  PCI_SUBSYSTEM_VENDOR_ID,
} from '../regs/index.js';
import type { FunctionDescription } from './function-description.js';
import type { PciFunction } from './pci-function.js';

const HEADER_END = 0x40;
const EXPRESS_LENGTH = 0x3c;

/**
 * The plainest VF that a PF can have: its class and subsystem vendor, a PCI Express capability like its own, BARs as
 * its SR-IOV capability says with an open bus behind them. Ids read all-ones, BAR registers zero (PCIe 6.0 9.3.4.1).
 */
export function deriveVirtualFunction(pf: PciFunction): FunctionDescription {
  const { bytes, size } = pf.config;
  const config = new Uint8Array(size);
  config.fill(0xff, 0, 4);
  config.set(bytes.subarray(PCI_CLASS_REVISION, PCI_CLASS_REVISION + 4), PCI_CLASS_REVISION);
  config.set(
    bytes.subarray(PCI_SUBSYSTEM_VENDOR_ID, PCI_SUBSYSTEM_VENDOR_ID + 4),
    PCI_SUBSYSTEM_VENDOR_ID,
  );
  const express = pf.findCapability(PCI_CAP_ID_EXP);
  if (express !== 0) {
    config[PCI_STATUS] = PCI_STATUS_CAP_LIST;
    config[PCI_CAPABILITY_LIST] = HEADER_END;
    config.set(bytes.subarray(express, express + EXPRESS_LENGTH), HEADER_END);
    config[HEADER_END + 1] = 0;
    // A VF is an endpoint whatever its PF is.
    config[HEADER_END + 2]! &= ~PCI_EXP_FLAGS_TYPE;
    config.fill(0, HEADER_END + 0x08, HEADER_END + 0x0c);
  }
  const bars = pf.vfBars.map((bar) =>
    bar === undefined
      ? undefined
      : { size: bar.size, kind: bar.kind, is64Bit: bar.is64Bit, prefetchable: bar.prefetchable },
  );
  return { config, configSize: size, bars };
}
