import { expect, test } from 'vitest';
import {
  iommufdVeventHeader,
  iommuHwQueueAlloc,
  iommuVdeviceAlloc,
  iommuVeventArmSmmuv3,
  iommuVeventqAlloc,
  iommuVeventTegra241Cmdqv,
  iommuViommuAlloc,
  iommuViommuTegra241Cmdqv,
} from '../src/index.js';
import * as module from '../src/viommu.js';
import { describeConstants, describeLayout } from './layout.js';

describeLayout(iommuViommuAlloc, 40, {
  size: 0,
  flags: 4,
  type: 8,
  devId: 12,
  hwptId: 16,
  outViommuId: 20,
  dataLen: 24,
  reserved: 28,
  dataUptr: 32,
});
describeLayout(iommuViommuTegra241Cmdqv, 16, { outVintfMmapOffset: 0, outVintfMmapLength: 8 });
describeLayout(iommuVdeviceAlloc, 24, {
  size: 0,
  viommuId: 4,
  devId: 8,
  outVdeviceId: 12,
  virtId: 16,
});
describeLayout(iommuVeventqAlloc, 32, {
  size: 0,
  flags: 4,
  viommuId: 8,
  type: 12,
  veventqDepth: 16,
  outVeventqId: 20,
  outVeventqFd: 24,
  reserved: 28,
});
describeLayout(iommufdVeventHeader, 8, { flags: 0, sequence: 4 });
describeLayout(iommuVeventArmSmmuv3, 32, { evt: 0 });
describeLayout(iommuVeventTegra241Cmdqv, 16, { lvcmdqErrMap: 0 });
describeLayout(iommuHwQueueAlloc, 40, {
  size: 0,
  flags: 4,
  viommuId: 8,
  type: 12,
  index: 16,
  outHwQueueId: 20,
  nestingParentIova: 24,
  length: 32,
});

describeConstants('viommu.ts', module, {
  IOMMU_VIOMMU_TYPE_DEFAULT: 0,
  IOMMU_VIOMMU_TYPE_ARM_SMMUV3: 1,
  IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV: 2,
  IOMMU_VEVENTQ_TYPE_DEFAULT: 0,
  IOMMU_VEVENTQ_TYPE_ARM_SMMUV3: 1,
  IOMMU_VEVENTQ_TYPE_TEGRA241_CMDQV: 2,
  IOMMU_VEVENTQ_FLAG_LOST_EVENTS: 1,
  IOMMU_HW_QUEUE_TYPE_DEFAULT: 0,
  IOMMU_HW_QUEUE_TYPE_TEGRA241_CMDQV: 1,
});

test('the minimum sizes of VIOMMU_ALLOC and VEVENTQ_ALLOC are 24 and 28 bytes', () => {
  expect(iommuViommuAlloc.ends.outViommuId).toBe(24);
  expect(iommuVeventqAlloc.ends.outVeventqFd).toBe(28);
});
