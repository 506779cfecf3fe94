import {
  type CapabilityChain,
  decodeCapabilities,
  findCapability,
  listCapability,
  structCapability,
} from './info-capability.js';
import { type Bytes, type StructOf, struct, u32, u64 } from './struct.js';

/** VFIO_DEVICE_GET_REGION_INFO */
export const vfioRegionInfo = struct('vfio_region_info', {
  argsz: u32,
  flags: u32,
  index: u32,
  capOffset: u32,
  size: u64,
  offset: u64,
});
export type VfioRegionInfo = StructOf<typeof vfioRegionInfo>;

export const VFIO_REGION_INFO_FLAG_READ = 0x1;
export const VFIO_REGION_INFO_FLAG_WRITE = 0x2;
export const VFIO_REGION_INFO_FLAG_MMAP = 0x4;
export const VFIO_REGION_INFO_FLAG_CAPS = 0x8;

export const VFIO_REGION_INFO_CAP_SPARSE_MMAP = 1;
export const VFIO_REGION_INFO_CAP_TYPE = 2;
export const VFIO_REGION_INFO_CAP_MSIX_MAPPABLE = 3;
/** Retired with the NVLink2 drivers. */
export const VFIO_REGION_INFO_CAP_NVLINK2_SSATGT = 4;
/** Retired with the NVLink2 drivers. */
export const VFIO_REGION_INFO_CAP_NVLINK2_LNKSPD = 5;

/** A part of a region that can be mapped, in bytes from the region's start. */
export const vfioRegionSparseMmapArea = struct('vfio_region_sparse_mmap_area', {
  offset: u64,
  size: u64,
});
export type VfioRegionSparseMmapArea = StructOf<typeof vfioRegionSparseMmapArea>;

/** Only these areas of the region can be mapped. */
export const sparseMmapCapability = listCapability(
  VFIO_REGION_INFO_CAP_SPARSE_MMAP,
  1,
  vfioRegionSparseMmapArea,
);

/** What a device's own region is, see {@link regionTypeName}. */
export const regionTypeCapability = structCapability(
  VFIO_REGION_INFO_CAP_TYPE,
  1,
  struct<RegionTypeInfo>('vfio_region_info_cap_type', { type: u32, subtype: u32 }),
);

/** The MSI-X table lies in this region and can be mapped all the same. */
export const msixMappableCapability = structCapability(
  VFIO_REGION_INFO_CAP_MSIX_MAPPABLE,
  1,
  struct('vfio_region_info_cap_msix_mappable', {}),
);

/** Where the NVLink2 bridge shows a GPU's memory to others. */
export const nvlink2SsatgtCapability = structCapability(
  VFIO_REGION_INFO_CAP_NVLINK2_SSATGT,
  1,
  struct('vfio_region_info_cap_nvlink2_ssatgt', { tgt: u64 }),
);

/** The speed of an NVLink2 link. */
export const nvlink2LnkspdCapability = structCapability(
  VFIO_REGION_INFO_CAP_NVLINK2_LNKSPD,
  1,
  struct('vfio_region_info_cap_nvlink2_lnkspd', { linkSpeed: u32, pad: u32 }),
);

/** What a device says of a region. */
export interface RegionInfo extends CapabilityChain {
  readonly index: number;
  /** VFIO_REGION_INFO_FLAG_* */
  readonly flags: number;
  /** Bytes; 0 where there is no such region. */
  readonly size: number;
  /** Where it starts in the device's file, in bytes. */
  readonly position: number;
  /** The only areas that can be mapped; without them all of it can, if it can be mapped. */
  readonly sparseMmap: readonly VfioRegionSparseMmapArea[] | undefined;
  /** What it is, if it is a region of the device's own. */
  readonly type: RegionTypeInfo | undefined;
  /** The MSI-X table lies in it and can be mapped. */
  readonly msixMappable: boolean;
}

/** VFIO_REGION_TYPE_* and VFIO_REGION_SUBTYPE_*, see {@link regionTypeName}. */
export interface RegionTypeInfo {
  readonly type: number;
  readonly subtype: number;
}

/** Reads an answer of VFIO_DEVICE_GET_REGION_INFO with the capabilities behind it. It never throws. */
export function decodeRegionInfo(bytes: Bytes): RegionInfo {
  const { index, flags, capOffset, size, offset } = vfioRegionInfo.decode(bytes);
  const hasCaps = (flags & VFIO_REGION_INFO_FLAG_CAPS) !== 0;
  const chain = decodeCapabilities(bytes, hasCaps ? capOffset : 0, vfioRegionInfo.size);
  return {
    ...chain,
    index,
    flags,
    size: Number(size),
    position: Number(offset),
    sparseMmap: findCapability(chain.capabilities, sparseMmapCapability),
    type: findCapability(chain.capabilities, regionTypeCapability),
    msixMappable: findCapability(chain.capabilities, msixMappableCapability) !== undefined,
  };
}
