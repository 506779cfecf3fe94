import type { AddressRange } from '../address/address.js';

/** Why nobody may map there. Over `direct-relaxable` regions a user may map nevertheless. */
export type ReservedRegionType = 'direct' | 'direct-relaxable' | 'reserved' | 'msi';

/** A range of IOVAs that nobody may map: a line of /sys/kernel/iommu_groups/N/reserved_regions. */
export interface ReservedRegion {
  readonly start: bigint;
  /** The last byte of it. */
  readonly end: bigint;
  readonly type: ReservedRegionType;
}

/** The lines of a `reserved_regions` file, such as `0x00000000fee00000 0x00000000feefffff msi`. */
export function parseReservedRegions(lines: readonly string[]): readonly ReservedRegion[] {
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter((words) => words.length === 3)
    .map(([start, end, type]) => ({
      start: BigInt(start!),
      end: BigInt(end!),
      type: type as ReservedRegionType,
    }));
}

/** The region as this package computes with addresses. */
export function regionRange({ start, end }: ReservedRegion): AddressRange {
  return { start: Number(start), end: Number(end + 1n) };
}
