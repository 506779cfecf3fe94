import {
  iommuDestroy,
  iommuFaultAlloc,
  iommuHwptPageResponse,
  iommuHwptPgfault,
  iommuOption,
  iommuVfioIoas,
} from '../src/index.js';
import * as module from '../src/iommufd.js';
import { describeConstants, describeLayout } from './layout.js';

describeLayout(iommuDestroy, 8, { size: 0, id: 4 });
describeLayout(iommuOption, 24, {
  size: 0,
  optionId: 4,
  op: 8,
  reserved: 10,
  objectId: 12,
  val64: 16,
});
describeLayout(iommuVfioIoas, 12, { size: 0, ioasId: 4, op: 8, reserved: 10 });
describeLayout(iommuFaultAlloc, 16, { size: 0, flags: 4, outFaultId: 8, outFaultFd: 12 });
describeLayout(iommuHwptPgfault, 40, {
  flags: 0,
  devId: 4,
  pasid: 8,
  grpid: 12,
  perm: 16,
  reserved: 20,
  addr: 24,
  length: 32,
  cookie: 36,
});
describeLayout(iommuHwptPageResponse, 8, { cookie: 0, code: 4 });

describeConstants('iommufd.ts', module, {
  IOMMU_OPTION_RLIMIT_MODE: 0,
  IOMMU_OPTION_HUGE_PAGES: 1,
  IOMMU_OPTION_OP_SET: 0,
  IOMMU_OPTION_OP_GET: 1,
  IOMMU_VFIO_IOAS_GET: 0,
  IOMMU_VFIO_IOAS_SET: 1,
  IOMMU_VFIO_IOAS_CLEAR: 2,
  IOMMU_PGFAULT_FLAGS_PASID_VALID: 1,
  IOMMU_PGFAULT_FLAGS_LAST_PAGE: 2,
  IOMMU_PGFAULT_PERM_READ: 1,
  IOMMU_PGFAULT_PERM_WRITE: 2,
  IOMMU_PGFAULT_PERM_EXEC: 4,
  IOMMU_PGFAULT_PERM_PRIV: 8,
  IOMMUFD_PAGE_RESP_SUCCESS: 0,
  IOMMUFD_PAGE_RESP_INVALID: 1,
});
