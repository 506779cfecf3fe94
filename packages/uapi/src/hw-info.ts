import { array, type StructOf, struct, u8, u32, u64 } from './struct.js';

/** IOMMU_GET_HW_INFO: the IOMMU behind a device. Its first version ended with `reserved`. */
export const iommuHwInfo = struct('iommu_hw_info', {
  size: u32,
  flags: u32,
  devId: u32,
  /** Bytes. In: room. Out: how much there is. */
  dataLen: u32,
  /** Address of what the data type says. */
  dataUptr: u64,
  /** In with IOMMU_HW_INFO_FLAG_INPUT_TYPE: what is wanted. Out: what it is. */
  outDataType: u32,
  /** Bits of a PASID, 0 for none. */
  outMaxPasidLog2: u8,
  reserved: array(u8, 3),
  outCapabilities: u64,
});
export type IommuHwInfo = StructOf<typeof iommuHwInfo>;
export const IOMMU_HW_INFO_FLAG_INPUT_TYPE = 0x1;

export const IOMMU_HW_CAP_DIRTY_TRACKING = 0x1;
export const IOMMU_HW_CAP_PCI_PASID_EXEC = 0x2;
export const IOMMU_HW_CAP_PCI_PASID_PRIV = 0x4;

export const IOMMU_HW_INFO_TYPE_NONE = 0;
/** As an input: whatever there is. */
export const IOMMU_HW_INFO_TYPE_DEFAULT = 0;
export const IOMMU_HW_INFO_TYPE_INTEL_VTD = 1;
export const IOMMU_HW_INFO_TYPE_ARM_SMMUV3 = 2;
export const IOMMU_HW_INFO_TYPE_TEGRA241_CMDQV = 3;
export const IOMMU_HW_INFO_TYPE_AMD = 4;

/** IOMMU_HW_INFO_TYPE_INTEL_VTD: VT-d 11.4.2 and 11.4.3. */
export const iommuHwInfoVtd = struct('iommu_hw_info_vtd', {
  flags: u32,
  reserved: u32,
  capReg: u64,
  ecapReg: u64,
});
export type IommuHwInfoVtd = StructOf<typeof iommuHwInfoVtd>;
/** Erratum 772415: a nest parent can have no read-only mappings. */
export const IOMMU_HW_INFO_VTD_ERRATA_772415_SPR17 = 0x1;

/** IOMMU_HW_INFO_TYPE_ARM_SMMUV3: SMMUv3 6.3. */
export const iommuHwInfoArmSmmuv3 = struct('iommu_hw_info_arm_smmuv3', {
  flags: u32,
  reserved: u32,
  idr: array(u32, 6),
  iidr: u32,
  aidr: u32,
});
export type IommuHwInfoArmSmmuv3 = StructOf<typeof iommuHwInfoArmSmmuv3>;

/** IOMMU_HW_INFO_TYPE_TEGRA241_CMDQV */
export const iommuHwInfoTegra241Cmdqv = struct('iommu_hw_info_tegra241_cmdqv', {
  flags: u32,
  version: u8,
  log2vcmdqs: u8,
  log2vsids: u8,
  reserved: u8,
});
export type IommuHwInfoTegra241Cmdqv = StructOf<typeof iommuHwInfoTegra241Cmdqv>;

/** IOMMU_HW_INFO_TYPE_AMD: the extended feature registers. */
export const iommuHwInfoAmd = struct('iommu_hw_info_amd', { efr: u64, efr2: u64 });
export type IommuHwInfoAmd = StructOf<typeof iommuHwInfoAmd>;
