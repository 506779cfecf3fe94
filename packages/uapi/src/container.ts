/** What VFIO_GET_API_VERSION answers. */
export const VFIO_API_VERSION = 0;

// What VFIO_CHECK_EXTENSION asks about; the kinds of IOMMU among them are what VFIO_SET_IOMMU takes.
export const VFIO_TYPE1_IOMMU = 1;
export const VFIO_SPAPR_TCE_IOMMU = 2;
export const VFIO_TYPE1v2_IOMMU = 3;
/** Every domain of the container enforces cache coherent DMA. */
export const VFIO_DMA_CC_IOMMU = 4;
export const VFIO_EEH = 5;
/** Retired; no kernel offers it any more. */
export const VFIO_TYPE1_NESTING_IOMMU = 6;
export const VFIO_SPAPR_TCE_v2_IOMMU = 7;
export const VFIO_NOIOMMU_IOMMU = 8;
export const VFIO_UNMAP_ALL = 9;
export const VFIO_UPDATE_VADDR = 10;

const EXTENSIONS = [
  'VFIO_TYPE1_IOMMU',
  'VFIO_SPAPR_TCE_IOMMU',
  'VFIO_TYPE1v2_IOMMU',
  'VFIO_DMA_CC_IOMMU',
  'VFIO_EEH',
  'VFIO_TYPE1_NESTING_IOMMU',
  'VFIO_SPAPR_TCE_v2_IOMMU',
  'VFIO_NOIOMMU_IOMMU',
  'VFIO_UNMAP_ALL',
  'VFIO_UPDATE_VADDR',
] as const;

/** An extension's name; `extension 99` where it has none here. */
export function extensionName(extension: number): string {
  return EXTENSIONS[extension - 1] ?? `extension ${extension}`;
}
