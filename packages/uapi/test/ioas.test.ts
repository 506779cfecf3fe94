import {
  iommuIoasAlloc,
  iommuIoasAllowIovas,
  iommuIoasChangeProcess,
  iommuIoasCopy,
  iommuIoasIovaRanges,
  iommuIoasMap,
  iommuIoasMapFile,
  iommuIoasUnmap,
  iommuIovaRange,
} from '../src/index.js';
import * as module from '../src/ioas.js';
import { describeConstants, describeLayout } from './layout.js';

describeLayout(iommuIoasAlloc, 12, { size: 0, flags: 4, outIoasId: 8 });
describeLayout(iommuIovaRange, 16, { start: 0, last: 8 });
describeLayout(iommuIoasAllowIovas, 24, {
  size: 0,
  ioasId: 4,
  numIovas: 8,
  reserved: 12,
  allowedIovas: 16,
});
describeLayout(iommuIoasCopy, 40, {
  size: 0,
  flags: 4,
  dstIoasId: 8,
  srcIoasId: 12,
  length: 16,
  dstIova: 24,
  srcIova: 32,
});
describeLayout(iommuIoasIovaRanges, 32, {
  size: 0,
  ioasId: 4,
  numIovas: 8,
  reserved: 12,
  allowedIovas: 16,
  outIovaAlignment: 24,
});
describeLayout(iommuIoasMap, 40, {
  size: 0,
  flags: 4,
  ioasId: 8,
  reserved: 12,
  userVa: 16,
  length: 24,
  iova: 32,
});
describeLayout(iommuIoasMapFile, 40, {
  size: 0,
  flags: 4,
  ioasId: 8,
  fd: 12,
  start: 16,
  length: 24,
  iova: 32,
});
describeLayout(iommuIoasUnmap, 24, { size: 0, ioasId: 4, iova: 8, length: 16 });
describeLayout(iommuIoasChangeProcess, 8, { size: 0, reserved: 4 });

describeConstants('ioas.ts', module, {
  IOMMU_IOAS_MAP_FIXED_IOVA: 1,
  IOMMU_IOAS_MAP_WRITEABLE: 2,
  IOMMU_IOAS_MAP_READABLE: 4,
});
