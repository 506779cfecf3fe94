import {
  PCI_CAPABILITY_LIST,
  PCI_CB_CAPABILITY_LIST,
  PCI_CFG_SPACE_EXP_SIZE,
  PCI_CFG_SPACE_SIZE,
  PCI_HEADER_TYPE_CARDBUS,
  PCI_STATUS,
  PCI_STATUS_CAP_LIST,
} from '../regs/index.js';
import type { ConfigAccess } from '../silicon/config-access.js';

/** How many pointers the kernel follows before it takes a list for a loop. */
const STANDARD_LIMIT = 48;
const EXTENDED_LIMIT = (PCI_CFG_SPACE_EXP_SIZE - PCI_CFG_SPACE_SIZE) / 8;

/** The first capability of a kind, as hardware shows it now; 0 for none (pci_find_capability). */
export function findCapability(config: ConfigAccess, headerType: number, id: number): number {
  const status = config.read(PCI_STATUS, 2);
  if (status < 0 || (status & PCI_STATUS_CAP_LIST) === 0) return 0;
  let at = config.read(
    headerType === PCI_HEADER_TYPE_CARDBUS ? PCI_CB_CAPABILITY_LIST : PCI_CAPABILITY_LIST,
    1,
  );
  for (let step = 0; step < STANDARD_LIMIT; step += 1) {
    if (at < 0x40) return 0;
    at &= ~3;
    const entry = config.read(at, 2);
    if (entry < 0 || (entry & 0xff) === 0xff) return 0;
    if ((entry & 0xff) === id) return at;
    at = entry >>> 8;
  }
  return 0;
}

/** The first extended capability of a kind; 0 for none (pci_find_ext_capability). */
export function findExtendedCapability(config: ConfigAccess, id: number): number {
  if (config.size <= PCI_CFG_SPACE_SIZE) return 0;
  let at = PCI_CFG_SPACE_SIZE;
  for (let step = 0; step < EXTENDED_LIMIT; step += 1) {
    const header = config.read(at, 4);
    if (header <= 0 || header === 0xffffffff) return 0;
    if ((header & 0xffff) === id) return at;
    at = (header >>> 20) & 0xffc;
    if (at < PCI_CFG_SPACE_SIZE) return 0;
  }
  return 0;
}
