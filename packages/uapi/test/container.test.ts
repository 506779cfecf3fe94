import { expect, test } from 'vitest';
import * as module from '../src/container.js';
import { extensionName } from '../src/index.js';
import { describeConstants } from './layout.js';

const extensions = {
  VFIO_TYPE1_IOMMU: 1,
  VFIO_SPAPR_TCE_IOMMU: 2,
  VFIO_TYPE1v2_IOMMU: 3,
  VFIO_DMA_CC_IOMMU: 4,
  VFIO_EEH: 5,
  VFIO_TYPE1_NESTING_IOMMU: 6,
  VFIO_SPAPR_TCE_v2_IOMMU: 7,
  VFIO_NOIOMMU_IOMMU: 8,
  VFIO_UNMAP_ALL: 9,
  VFIO_UPDATE_VADDR: 10,
};

describeConstants('container.ts', module, { VFIO_API_VERSION: 0, ...extensions });

test('an extension has the name of its number', () => {
  for (const [name, number] of Object.entries(extensions)) expect(extensionName(number)).toBe(name);
  expect([0, 11].map(extensionName)).toEqual(['extension 0', 'extension 11']);
});
