import { type StructOf, struct, u32 } from './struct.js';

/** The region is a PCI vendor's own: its id is in VFIO_REGION_TYPE_PCI_VENDOR_MASK. */
export const VFIO_REGION_TYPE_PCI_VENDOR_TYPE = 0x80000000;
export const VFIO_REGION_TYPE_PCI_VENDOR_MASK = 0xffff;
export const VFIO_REGION_TYPE_GFX = 1;
export const VFIO_REGION_TYPE_CCW = 2;
/** The first migration protocol, retired. */
export const VFIO_REGION_TYPE_MIGRATION_DEPRECATED = 3;

// Vendor 8086
export const VFIO_REGION_SUBTYPE_INTEL_IGD_OPREGION = 1;
export const VFIO_REGION_SUBTYPE_INTEL_IGD_HOST_CFG = 2;
export const VFIO_REGION_SUBTYPE_INTEL_IGD_LPC_CFG = 3;
/** Vendor 10de; retired. */
export const VFIO_REGION_SUBTYPE_NVIDIA_NVLINK2_RAM = 1;
/** Vendor 1014; retired. */
export const VFIO_REGION_SUBTYPE_IBM_NVLINK2_ATSD = 1;
// VFIO_REGION_TYPE_GFX
export const VFIO_REGION_SUBTYPE_GFX_EDID = 1;
// VFIO_REGION_TYPE_CCW
export const VFIO_REGION_SUBTYPE_CCW_ASYNC_CMD = 1;
export const VFIO_REGION_SUBTYPE_CCW_SCHIB = 2;
export const VFIO_REGION_SUBTYPE_CCW_CRW = 3;
// VFIO_REGION_TYPE_MIGRATION_DEPRECATED
export const VFIO_REGION_SUBTYPE_MIGRATION_DEPRECATED = 1;

/** The type of a PCI vendor's regions. */
export function vendorRegionType(vendor: number): number {
  return VFIO_REGION_TYPE_PCI_VENDOR_TYPE + (vendor & VFIO_REGION_TYPE_PCI_VENDOR_MASK);
}

const NAMES: Readonly<Record<number, Readonly<Record<number, string>>>> = {
  [vendorRegionType(0x8086)]: {
    [VFIO_REGION_SUBTYPE_INTEL_IGD_OPREGION]: 'INTEL_IGD_OPREGION',
    [VFIO_REGION_SUBTYPE_INTEL_IGD_HOST_CFG]: 'INTEL_IGD_HOST_CFG',
    [VFIO_REGION_SUBTYPE_INTEL_IGD_LPC_CFG]: 'INTEL_IGD_LPC_CFG',
  },
  [vendorRegionType(0x10de)]: { [VFIO_REGION_SUBTYPE_NVIDIA_NVLINK2_RAM]: 'NVIDIA_NVLINK2_RAM' },
  [vendorRegionType(0x1014)]: { [VFIO_REGION_SUBTYPE_IBM_NVLINK2_ATSD]: 'IBM_NVLINK2_ATSD' },
  [VFIO_REGION_TYPE_GFX]: { [VFIO_REGION_SUBTYPE_GFX_EDID]: 'GFX_EDID' },
  [VFIO_REGION_TYPE_CCW]: {
    [VFIO_REGION_SUBTYPE_CCW_ASYNC_CMD]: 'CCW_ASYNC_CMD',
    [VFIO_REGION_SUBTYPE_CCW_SCHIB]: 'CCW_SCHIB',
    [VFIO_REGION_SUBTYPE_CCW_CRW]: 'CCW_CRW',
  },
  [VFIO_REGION_TYPE_MIGRATION_DEPRECATED]: {
    [VFIO_REGION_SUBTYPE_MIGRATION_DEPRECATED]: 'MIGRATION_DEPRECATED',
  },
};

/** The name of a type and subtype, such as `INTEL_IGD_OPREGION`; the numbers where they have none, `type 0x80008086 subtype 9`. */
export function regionTypeName(type: number, subtype: number): string {
  return NAMES[type]?.[subtype] ?? `type 0x${type.toString(16)} subtype ${subtype}`;
}

/** The start of an EDID region (VFIO_REGION_SUBTYPE_GFX_EDID): a monitor that user space describes. */
export const vfioRegionGfxEdid = struct('vfio_region_gfx_edid', {
  /** Where the EDID is, in bytes from the region's start. */
  edidOffset: u32,
  /** Bytes. */
  edidMaxSize: u32,
  /** Bytes. */
  edidSize: u32,
  /** Pixels, 0 for no limit. */
  maxXres: u32,
  /** Pixels, 0 for no limit. */
  maxYres: u32,
  /** VFIO_DEVICE_GFX_LINK_STATE_*; down while the EDID is being written. */
  linkState: u32,
});
export type VfioRegionGfxEdid = StructOf<typeof vfioRegionGfxEdid>;
export const VFIO_DEVICE_GFX_LINK_STATE_UP = 1;
export const VFIO_DEVICE_GFX_LINK_STATE_DOWN = 2;
