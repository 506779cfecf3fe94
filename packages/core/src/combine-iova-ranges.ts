import type { IovaRange } from './extension.js';

/**
 * Makes do with fewer ranges for devices that log only so many: the neighbours with the smallest gap become one, again
 * and again; the first such pair where several gaps are equal (vfio_main.c: vfio_combine_iova_ranges).
 *
 * @param ranges in any order, apart from each other.
 * @param want at most so many, 1 or more.
 * @returns them in ascending order.
 */
export function combineIovaRanges(
  ranges: readonly IovaRange[],
  want: number,
): readonly IovaRange[] {
  const combined = [...ranges].sort((a, b) => (a.iova < b.iova ? -1 : 1));
  while (combined.length > want) {
    const at = smallestGap(combined);
    const [first, second] = [combined[at]!, combined[at + 1]!];
    const end = second.iova + second.length;
    combined.splice(at, 2, { iova: first.iova, length: end - first.iova });
  }
  return combined;
}

/** The index of the range in front of the smallest gap. */
function smallestGap(ranges: readonly IovaRange[]): number {
  const gap = (i: number) => ranges[i + 1]!.iova - (ranges[i]!.iova + ranges[i]!.length);
  let best = 0;
  for (let i = 1; i < ranges.length - 1; i += 1) if (gap(i) < gap(best)) best = i;
  return best;
}
