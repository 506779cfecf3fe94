const ALL = BigInt.asUintN(64, -1n);

/** The lowest bit of a bitmap of page sizes: the smallest page. 0 without any. */
export function smallestPage(pageSizes: bigint): number {
  return Number(pageSizes & -pageSizes);
}

/** A bit for every page size from one on. */
export function sizesFrom(page: number): bigint {
  return BigInt.asUintN(64, -BigInt(page));
}

/** The sizes that all bitmaps have; every size if there is none. */
export function commonSizes(bitmaps: Iterable<bigint>): bigint {
  let common = ALL;
  for (const sizes of bitmaps) common &= sizes;
  return common;
}

/**
 * The sizes by which user memory can be mapped: none smaller than the CPU's page, because memory is pinned by that, but
 * that one if an IOMMU has smaller ones.
 */
export function userSizes(bitmaps: Iterable<bigint>, page: number): bigint {
  const common = commonSizes(bitmaps);
  const whole = common & sizesFrom(page);
  return whole === common ? whole : whole | BigInt(page);
}
