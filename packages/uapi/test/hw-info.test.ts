import { expect, test } from 'vitest';
import * as module from '../src/hw-info.js';
import {
  iommuHwInfo,
  iommuHwInfoAmd,
  iommuHwInfoArmSmmuv3,
  iommuHwInfoTegra241Cmdqv,
  iommuHwInfoVtd,
} from '../src/index.js';
import { describeConstants, describeLayout } from './layout.js';

describeLayout(iommuHwInfo, 40, {
  size: 0,
  flags: 4,
  devId: 8,
  dataLen: 12,
  dataUptr: 16,
  outDataType: 24,
  outMaxPasidLog2: 28,
  reserved: 29,
  outCapabilities: 32,
});
describeLayout(iommuHwInfoVtd, 24, { flags: 0, reserved: 4, capReg: 8, ecapReg: 16 });
describeLayout(iommuHwInfoArmSmmuv3, 40, { flags: 0, reserved: 4, idr: 8, iidr: 32, aidr: 36 });
describeLayout(iommuHwInfoTegra241Cmdqv, 8, {
  flags: 0,
  version: 4,
  log2vcmdqs: 5,
  log2vsids: 6,
  reserved: 7,
});
describeLayout(iommuHwInfoAmd, 16, { efr: 0, efr2: 8 });

describeConstants('hw-info.ts', module, {
  IOMMU_HW_INFO_FLAG_INPUT_TYPE: 1,
  IOMMU_HW_CAP_DIRTY_TRACKING: 1,
  IOMMU_HW_CAP_PCI_PASID_EXEC: 2,
  IOMMU_HW_CAP_PCI_PASID_PRIV: 4,
  IOMMU_HW_INFO_TYPE_NONE: 0,
  IOMMU_HW_INFO_TYPE_DEFAULT: 0,
  IOMMU_HW_INFO_TYPE_INTEL_VTD: 1,
  IOMMU_HW_INFO_TYPE_ARM_SMMUV3: 2,
  IOMMU_HW_INFO_TYPE_TEGRA241_CMDQV: 3,
  IOMMU_HW_INFO_TYPE_AMD: 4,
  IOMMU_HW_INFO_VTD_ERRATA_772415_SPR17: 1,
});

test('the minimum of IOMMU_GET_HW_INFO is 32 bytes, up to the reserved ones', () => {
  expect(iommuHwInfo.ends.reserved).toBe(32);
});
