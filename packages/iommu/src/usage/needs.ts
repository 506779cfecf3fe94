import type { AddressRange } from '../address/address.js';
import { smallestPage } from '../address/page-sizes.js';
import type { SpaceCapabilities } from '../vmm/dma-space.js';

/** Something that a usage model wants of spaces: what is missing, in words, or nothing. */
export type Need = (capabilities: SpaceCapabilities) => string | undefined;

/** What of several needs is missing. */
export function missing(
  capabilities: SpaceCapabilities,
  needs: readonly Need[],
): readonly string[] {
  return needs.map((need) => need(capabilities)).filter((text) => text !== undefined);
}

/** Something can be mapped at all. */
export const protection: Need = ({ protects }) =>
  protects ? undefined : 'protection: without an IOMMU nothing can be mapped';

/** All of some ranges can be mapped. */
export function covers(wanted: readonly AddressRange[], what: string): Need {
  return ({ ranges, protects }) => {
    const outside = wanted.find(
      ({ start, end }) => !ranges.some((range) => start >= range.start && end <= range.end),
    );
    return outside === undefined || !protects
      ? undefined
      : `ranges: ${what} at 0x${outside.start.toString(16)}-0x${(outside.end - 1).toString(16)} cannot be mapped`;
  };
}

/** Pages as small as that can be mapped. */
export function granularity(page: number, whose: string): Need {
  return ({ pageSizes, protects }) =>
    !protects || smallestPage(pageSizes) <= page
      ? undefined
      : `granularity: the smallest page is ${smallestPage(pageSizes)} bytes, ${whose} is ${page}`;
}

/** So many mappings can live together. */
export function slots(count: number): Need {
  return ({ maxMappings }) =>
    maxMappings === null || maxMappings >= count
      ? undefined
      : `mappings: ${count} are needed, ${maxMappings} can be made`;
}

/** Hardware walks guests' page tables. */
export const nesting: Need = (capabilities) =>
  capabilities.nesting ? undefined : "nesting: hardware does not walk a guest's page table";

/** Mappings do not wait for windows that nobody makes. */
export const fixedRanges: Need = ({ dynamicWindows }) =>
  dynamicWindows ? 'windows: none exists until a guest makes one' : undefined;
