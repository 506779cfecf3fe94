/** A range of IOVAs that nobody may map: `/sys/kernel/iommu_groups/N/reserved_regions`. */
export interface ReservedRegion {
  readonly start: bigint;
  /** The last byte of it. */
  readonly end: bigint;
  readonly type: 'direct' | 'direct-relaxable' | 'reserved' | 'msi';
}

/** An IOMMU group: functions that the IOMMU cannot tell apart. */
export interface IommuGroup {
  readonly id: number;
  readonly type?: string;
  readonly reserved: readonly ReservedRegion[];
}
