import { type IommuQuirks, KERNEL_QUIRKS } from './quirks.js';

/** The host's settings that VFIO and the IOMMU side obey. They can change at run time, as module parameters do. */
export interface IommuParameters {
  /** Bytes of a CPU page. */
  pageSize: number;
  /** vfio: devices without an IOMMU may be used, which taints the kernel. */
  enableUnsafeNoiommuMode: boolean;
  /** vfio_iommu_type1: groups whose interrupts are not isolated may be used. */
  allowUnsafeInterrupts: boolean;
  /** vfio_iommu_type1: how many mappings each container can have. */
  dmaEntryLimit: number;
  /** iommufd's own parameter of that name. */
  iommufdAllowUnsafeInterrupts: boolean;
  /** Kernels before 6.15 offer VFIO_TYPE1_NESTING_IOMMU, which none of the IOMMUs here grants. */
  nestingType: boolean;
  /** vfio_iommu_spapr_tce is built rather than vfio_iommu_type1: a kernel for POWER. */
  tceTypes: boolean;
  /** Oddities of the kernel that are reproduced. */
  quirks: IommuQuirks;
  /** Character devices (`/dev/vfio/devices/vfioN`) are built in. */
  deviceCdev: boolean;
}

/** What a kernel with everything built in starts with. */
export const DEFAULT_PARAMETERS: Readonly<IommuParameters> = {
  pageSize: 4096,
  enableUnsafeNoiommuMode: false,
  allowUnsafeInterrupts: false,
  dmaEntryLimit: 65535,
  iommufdAllowUnsafeInterrupts: false,
  nestingType: false,
  tceTypes: false,
  quirks: KERNEL_QUIRKS,
  deviceCdev: true,
};
