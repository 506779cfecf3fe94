import type { ConfigAccess } from '@vfiokit/pci';

const PCI_CFG_SPACE_SIZE = 256;
const PCI_EXT_CAP_ID_DVSEC = 0x23;
const PCI_DVSEC_HEADER1 = 4;
const PCI_DVSEC_HEADER2 = 8;
/** Extended capabilities have 8 bytes at least, so there are not more of them. */
const MOST = (4096 - 256) / 8;

/** A Designated Vendor-Specific Extended Capability (PCIe 6.0 7.9.6): where it starts, 0 for none. */
export function findDvsec(config: ConfigAccess, vendor: number, id: number): number {
  if (config.size <= PCI_CFG_SPACE_SIZE) return 0;
  let at = PCI_CFG_SPACE_SIZE;
  for (let seen = 0; at >= PCI_CFG_SPACE_SIZE && seen < MOST; seen += 1) {
    const header = config.read(at, 4);
    if (header <= 0) return 0;
    if (
      (header & 0xffff) === PCI_EXT_CAP_ID_DVSEC &&
      config.read(at + PCI_DVSEC_HEADER1, 2) === vendor &&
      config.read(at + PCI_DVSEC_HEADER2, 2) === id
    )
      return at;
    at = (header >>> 20) & 0xffc;
  }
  return 0;
}

const PCI_VENDOR_ID_NVIDIA = 0x10de;
const GPU_CAP_DVSEC = 3;
const GPU_CAP_BITMAP = 0x0a;
const MIG_SUPPORTED_WITH_CACHED_RESMEM = 0x1;

/** The GPU can't be partitioned unless part of its memory is uncached: the capability that says otherwise is missing. */
export function hasMigBug(config: ConfigAccess): boolean {
  const at = findDvsec(config, PCI_VENDOR_ID_NVIDIA, GPU_CAP_DVSEC);
  return at === 0 || (config.read(at + GPU_CAP_BITMAP, 2) & MIG_SUPPORTED_WITH_CACHED_RESMEM) === 0;
}
