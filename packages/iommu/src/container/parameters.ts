import { type IommuQuirks, KERNEL_QUIRKS } from './quirks.js';

/** A kernel whose behaviour is modelled. */
export type KernelRelease = '6.12' | '7.2';

/** The release that a version such as `6.12.107+deb13-s390x` is closest to. */
export function kernelRelease(version: string): KernelRelease {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major < 6 || (major === 6 && minor <= 12) ? '6.12' : '7.2';
}

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
  /**
   * Which kernel it is, where that matters: 6.12 still has VFIO_TYPE1_NESTING_IOMMU (which no IOMMU here grants) and finds
   * ranges that wrap invalid.
   */
  release: KernelRelease;
  /** Oddities of the kernel that are reproduced. */
  quirks: IommuQuirks;
  /** `/dev/vfio/vfio` is served by iommufd (CONFIG_IOMMUFD_VFIO_CONTAINER). */
  iommufdVfioContainer: boolean;
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
  release: '7.2',
  quirks: KERNEL_QUIRKS,
  iommufdVfioContainer: false,
  deviceCdev: true,
};
