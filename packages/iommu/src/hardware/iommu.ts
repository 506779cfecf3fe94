import type { AddressRange } from '../address/address.js';
import type { TcePlatform } from './tce-platform.js';

/**
 * What a physical IOMMU can do, as far as user space can tell: the answers of the kernel's iommu_capable() and of the
 * paging domains that its driver makes. Made from capability registers by {@link vtdIommu} and its like.
 */
export interface Iommu {
  /** Its name in /sys/class/iommu, such as `dmar0`. */
  readonly name: string;
  /** The kernel's driver, by how it names its IOMMUs. Domains are shared only between IOMMUs of one driver. */
  readonly driver: string;
  /** A bit for each page size that a domain can use. */
  readonly pageSizes: bigint;
  /** The addresses that a domain can translate. */
  readonly aperture: AddressRange;
  /** DMA is coherent with the CPU's caches (IOMMU_CAP_CACHE_COHERENCY); without it VFIO refuses the device. */
  readonly cacheCoherent: boolean;
  /** A domain can be made to ignore no-snoop requests. */
  readonly enforcesCacheCoherency: boolean;
  /** A device's interrupts cannot hit others: interrupt remapping, or the platform says so. */
  readonly isolatedMsi: boolean;
  /** Hardware notes which pages devices write. */
  readonly dirtyTracking: boolean;
  /** The data type of the guest page tables that it can walk (IOMMU_HWPT_DATA_*), if it can. */
  readonly nesting?: number;
  /** The kind of slice that it can give to a guest (IOMMU_VIOMMU_TYPE_*), if it can. */
  readonly viommuType?: number;
  /** Bits of a PASID; 0 without. */
  readonly pasidBits: number;
  /** What IOMMU_GET_HW_INFO tells: a type and the driver's data. */
  readonly info?: { readonly type: number; readonly data: Uint8Array };
  /** POWER: it translates with tables of TCEs in windows instead. */
  readonly tce?: TcePlatform;
}

/** An IOMMU to start from where only some properties matter: x86-64 with everything. */
export const GENERIC_IOMMU: Iommu = {
  name: 'iommu0',
  driver: 'generic-iommu',
  pageSizes: 0x40201000n,
  aperture: { start: 0, end: 2 ** 48 },
  cacheCoherent: true,
  enforcesCacheCoherency: true,
  isolatedMsi: true,
  dirtyTracking: false,
  pasidBits: 0,
};
