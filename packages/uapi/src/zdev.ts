import { bytesCapability, structCapability } from './info-capability.js';
import { type StructOf, struct, u8, u16, u32, u64 } from './struct.js';

// Capabilities of VFIO_DEVICE_GET_INFO that an s390 PCI function has (vfio_zdev.h).
export const VFIO_DEVICE_INFO_CAP_ZPCI_BASE = 1;
export const VFIO_DEVICE_INFO_CAP_ZPCI_GROUP = 2;
export const VFIO_DEVICE_INFO_CAP_ZPCI_UTIL = 3;
export const VFIO_DEVICE_INFO_CAP_ZPCI_PFIP = 4;

const zpciBase = struct('vfio_device_info_cap_zpci_base', {
  /** The lowest usable DMA address. */
  startDma: u64,
  /** The highest usable DMA address. */
  endDma: u64,
  /** Physical channel. */
  pchid: u16,
  /** Virtual function number. */
  vfn: u16,
  /** Bytes of the measurement block. */
  fmbLength: u16,
  /** Function type. */
  pft: u8,
  /** Function group. */
  gid: u8,
  /** Function handle; version 2. */
  fh: u32,
});
export type ZpciBase = StructOf<typeof zpciBase>;

/** What the function is. Version 1 ended before the function handle. */
export const zpciBaseCapability = structCapability(VFIO_DEVICE_INFO_CAP_ZPCI_BASE, 2, zpciBase, [
  zpciBase.offsets.fh,
]);

const zpciGroup = struct('vfio_device_info_cap_zpci_group', {
  /** DMA address space mask. */
  dasm: u64,
  msiAddr: u64,
  /** VFIO_DEVICE_INFO_ZPCI_FLAG_* */
  flags: u64,
  /** Measurement block update interval. */
  mui: u16,
  /** How many MSIs. */
  noi: u16,
  /** The longest store block, in bytes, that the host performs for a guest. */
  maxstbl: u16,
  /** PCI version. */
  version: u8,
  reserved: u8,
  /** The longest store block, in bytes, of instructions that are interpreted; version 2. */
  imaxstbl: u16,
});
export type ZpciGroup = StructOf<typeof zpciGroup>;
/** It is the guest's program that says when translations are refreshed. */
export const VFIO_DEVICE_INFO_ZPCI_FLAG_REFRESH = 0x1;

/** What the function's group can do. Version 1 ended behind the PCI version. */
export const zpciGroupCapability = structCapability(VFIO_DEVICE_INFO_CAP_ZPCI_GROUP, 2, zpciGroup, [
  zpciGroup.ends.version,
]);

/** The utility string, EBCDIC. */
export const zpciUtilCapability = bytesCapability(VFIO_DEVICE_INFO_CAP_ZPCI_UTIL, 1);

/** The PCI function internal path. */
export const zpciPfipCapability = bytesCapability(VFIO_DEVICE_INFO_CAP_ZPCI_PFIP, 1);
