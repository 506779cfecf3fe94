import { expect, test } from 'vitest';
import * as module from '../src/hwpt.js';
import {
  iommuHwptAlloc,
  iommuHwptAmdGuest,
  iommuHwptArmSmmuv3,
  iommuHwptGetDirtyBitmap,
  iommuHwptInvalidate,
  iommuHwptSetDirtyTracking,
  iommuHwptVtdS1,
  iommuHwptVtdS1Invalidate,
  iommuViommuArmSmmuv3Invalidate,
} from '../src/index.js';
import { describeConstants, describeLayout } from './layout.js';

describeLayout(iommuHwptAlloc, 48, {
  size: 0,
  flags: 4,
  devId: 8,
  ptId: 12,
  outHwptId: 16,
  reserved: 20,
  dataType: 24,
  dataLen: 28,
  dataUptr: 32,
  faultId: 40,
  reserved2: 44,
});
describeLayout(iommuHwptVtdS1, 24, { flags: 0, pgtblAddr: 8, addrWidth: 16, reserved: 20 });
describeLayout(iommuHwptArmSmmuv3, 16, { ste: 0 });
describeLayout(iommuHwptAmdGuest, 32, { dte: 0 });
describeLayout(iommuHwptSetDirtyTracking, 16, { size: 0, flags: 4, hwptId: 8, reserved: 12 });
describeLayout(iommuHwptGetDirtyBitmap, 48, {
  size: 0,
  hwptId: 4,
  flags: 8,
  reserved: 12,
  iova: 16,
  length: 24,
  pageSize: 32,
  data: 40,
});
describeLayout(iommuHwptInvalidate, 32, {
  size: 0,
  hwptId: 4,
  dataUptr: 8,
  dataType: 16,
  entryLen: 20,
  entryNum: 24,
  reserved: 28,
});
describeLayout(iommuHwptVtdS1Invalidate, 24, { addr: 0, npages: 8, flags: 16, reserved: 20 });
describeLayout(iommuViommuArmSmmuv3Invalidate, 16, { cmd: 0 });

describeConstants('hwpt.ts', module, {
  IOMMU_HWPT_ALLOC_NEST_PARENT: 1,
  IOMMU_HWPT_ALLOC_DIRTY_TRACKING: 2,
  IOMMU_HWPT_FAULT_ID_VALID: 4,
  IOMMU_HWPT_ALLOC_PASID: 8,
  IOMMU_HWPT_DATA_NONE: 0,
  IOMMU_HWPT_DATA_VTD_S1: 1,
  IOMMU_HWPT_DATA_ARM_SMMUV3: 2,
  IOMMU_HWPT_DATA_AMD_GUEST: 3,
  IOMMU_VTD_S1_SRE: 1,
  IOMMU_VTD_S1_EAFE: 2,
  IOMMU_VTD_S1_WPE: 4,
  IOMMU_HWPT_DIRTY_TRACKING_ENABLE: 1,
  IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR: 1,
  IOMMU_HWPT_INVALIDATE_DATA_VTD_S1: 0,
  IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3: 1,
  IOMMU_VTD_INV_FLAGS_LEAF: 1,
});

test('the minimum of IOMMU_HWPT_ALLOC is 24 bytes', () => {
  expect(iommuHwptAlloc.ends.reserved).toBe(24);
});
