import { type StructOf, struct, u16, u32, u64 } from './struct.js';

// Every structure of iommufd.h begins with its own size. Unknown flags and reserved members that are not 0 are EOPNOTSUPP.

/** IOMMU_DESTROY */
export const iommuDestroy = struct('iommu_destroy', { size: u32, id: u32 });
export type IommuDestroy = StructOf<typeof iommuDestroy>;

/** IOMMU_OPTION */
export const iommuOption = struct('iommu_option', {
  size: u32,
  optionId: u32,
  op: u16,
  reserved: u16,
  /** The IOAS, or 0 for the whole iommufd. */
  objectId: u32,
  val64: u64,
});
export type IommuOption = StructOf<typeof iommuOption>;
/** How locked memory is charged: 0 by user, 1 by process. */
export const IOMMU_OPTION_RLIMIT_MODE = 0;
/** Whether an IOAS may map more than a page at once. */
export const IOMMU_OPTION_HUGE_PAGES = 1;
export const IOMMU_OPTION_OP_SET = 0;
export const IOMMU_OPTION_OP_GET = 1;

/** IOMMU_VFIO_IOAS: the IOAS that the VFIO emulation works on. */
export const iommuVfioIoas = struct('iommu_vfio_ioas', {
  size: u32,
  ioasId: u32,
  op: u16,
  reserved: u16,
});
export type IommuVfioIoas = StructOf<typeof iommuVfioIoas>;
export const IOMMU_VFIO_IOAS_GET = 0;
export const IOMMU_VFIO_IOAS_SET = 1;
export const IOMMU_VFIO_IOAS_CLEAR = 2;

/** IOMMU_FAULT_QUEUE_ALLOC */
export const iommuFaultAlloc = struct('iommu_fault_alloc', {
  size: u32,
  flags: u32,
  outFaultId: u32,
  outFaultFd: u32,
});
export type IommuFaultAlloc = StructOf<typeof iommuFaultAlloc>;

/** What is read from a fault queue: a page that a device asks for. */
export const iommuHwptPgfault = struct('iommu_hwpt_pgfault', {
  flags: u32,
  devId: u32,
  pasid: u32,
  /** Page request group index. */
  grpid: u32,
  perm: u32,
  reserved: u32,
  addr: u64,
  /** Bytes that the device is about to ask for, 0 if it does not say. */
  length: u32,
  /** Names the group of faults in the response. */
  cookie: u32,
});
export type IommuHwptPgfault = StructOf<typeof iommuHwptPgfault>;
export const IOMMU_PGFAULT_FLAGS_PASID_VALID = 0x1;
/** The last fault of its group. */
export const IOMMU_PGFAULT_FLAGS_LAST_PAGE = 0x2;
export const IOMMU_PGFAULT_PERM_READ = 0x1;
export const IOMMU_PGFAULT_PERM_WRITE = 0x2;
export const IOMMU_PGFAULT_PERM_EXEC = 0x4;
export const IOMMU_PGFAULT_PERM_PRIV = 0x8;

/** What is written to a fault queue. */
export const iommuHwptPageResponse = struct('iommu_hwpt_page_response', { cookie: u32, code: u32 });
export type IommuHwptPageResponse = StructOf<typeof iommuHwptPageResponse>;
/** The page is there: access it again. */
export const IOMMUFD_PAGE_RESP_SUCCESS = 0;
export const IOMMUFD_PAGE_RESP_INVALID = 1;
