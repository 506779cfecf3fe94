/**
 * Oddities of the kernel that no documentation promises. They are on by default, because software meets them; each can
 * be turned off for what would be sane. `docs/quirks.md` lists them in this order.
 */
export interface IommuQuirks {
  /**
   * type1: a dirty bitmap that does not start at a mapping leaves bits of its neighbours behind the mapping's own, and
   * later reports show them (vfio_iommu_type1.c: update_user_bitmap). Off: what follows a mapping in its last word is 0,
   * what precedes it in its first word stays.
   */
  staleDirtyBits: boolean;
  /** sPAPR: a bad IOVA makes MAP and UNMAP return 1 (vfio_iommu_spapr_tce.c: iommu_tce_put_param_check). Off: -EINVAL. */
  tceParameterCheckIsTrue: boolean;
  /**
   * sPAPR: memory that entries still lead to can be unregistered; it stays pinned and counted, and usable
   * (vfio_iommu_spapr_tce.c: tce_iommu_unregister_pages holds a reference of its own meanwhile). Off: -EBUSY.
   */
  unregisterWhileMapped: boolean;
  /** sPAPR: any group that leaves takes the mappings of all with it. Off: only the last one does. */
  detachClearsTables: boolean;
  /** sPAPR: a window is removed by any address inside it. Off: only by its start. */
  windowByContainment: boolean;
  /** Groups: an iommufd can be unset while devices are open. Off: -EBUSY. */
  iommufdUnsetIgnoresOpenDevices: boolean;
  /** iommufd: an unmap that meets a partly covered area fails with the areas before it gone. Off: nothing is removed. */
  partialUnmapRemoves: boolean;
  /** iommufd: reading dirty bits over holes, or with tracking off, succeeds. Off: -EINVAL. */
  dirtyReadIgnoresErrors: boolean;
  /** iommufd's VFIO emulation: a mapping without any permission is accepted. Off: -EINVAL. */
  compatMapsWithoutAccess: boolean;
}

/** The kernel as it is. */
export const KERNEL_QUIRKS: Readonly<IommuQuirks> = {
  staleDirtyBits: true,
  tceParameterCheckIsTrue: true,
  unregisterWhileMapped: true,
  detachClearsTables: true,
  windowByContainment: true,
  iommufdUnsetIgnoresOpenDevices: true,
  partialUnmapRemoves: true,
  dirtyReadIgnoresErrors: true,
  compatMapsWithoutAccess: true,
};
