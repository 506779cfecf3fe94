import { findCapability, nvlink2SsatgtCapability, type RegionInfo } from '@vfiokit/uapi';

/** A region of NVLink2 that user space found on some device. */
export interface FoundRegion {
  readonly device: string;
  readonly info: RegionInfo;
}

/**
 * Which devices are ends of the same links: those whose regions name the same target address. User space groups a GPU
 * with its bridges by it.
 *
 * @returns the names of the devices by target address, in the order in which they were found.
 */
export function pairByTarget(
  regions: readonly FoundRegion[],
): ReadonlyMap<bigint, readonly string[]> {
  const pairs = new Map<bigint, string[]>();
  for (const { device, info } of regions) {
    const tgt = findCapability(info.capabilities, nvlink2SsatgtCapability)?.tgt;
    if (tgt !== undefined) pairs.set(tgt, [...(pairs.get(tgt) ?? []), device]);
  }
  return pairs;
}
