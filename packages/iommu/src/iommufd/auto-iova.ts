import { EINVAL, ENOSPC, EOVERFLOW } from '@vfiokit/uapi';
import { ADDRESS_END, type AddressRange } from '../address/address.js';

/** IOVAs are aligned to no more than a huge page. */
const HUGE_PAGE = 2 << 20;

/** What an IOVA is wanted for. */
export interface IovaWish {
  /** The user's address: its place in the page is kept, and its alignment as far as the length makes use of it. */
  readonly address: number;
  readonly length: number;
  /** The CPU's page. */
  readonly page: number;
  /** What the address space demands. */
  readonly alignment: number;
  /** Where to look; anywhere if it is empty. */
  readonly allowed: readonly AddressRange[];
}

/**
 * Chooses the lowest IOVA that fits; never 0 (io_pagetable.c: iopt_alloc_iova).
 *
 * @param taken what is in the way in a range: where the first such thing ends.
 * @returns it, or `-EOVERFLOW` (too long), `-EINVAL` (the user's address is not aligned enough), `-ENOSPC`.
 */
export function findIova(
  { address, length, page, alignment, allowed }: IovaWish,
  taken: (start: number, end: number) => number | undefined,
): number {
  if (length >= ADDRESS_END / 2) return -EOVERFLOW;
  const wanted = Math.min(lowestBit(address), 2 ** Math.ceil(Math.log2(length)), HUGE_PAGE);
  if (wanted < alignment) return -EINVAL;
  const offset = address % page;
  const step = Math.max(wanted, page);
  const everywhere = [{ start: page, end: ADDRESS_END - page }];
  for (const { start, end } of allowed.length > 0 ? allowed : everywhere) {
    let at = fit(Math.max(start, page), step, offset);
    while (at + length <= end) {
      const behind = taken(at, at + length);
      if (behind === undefined) return at;
      at = fit(behind, step, offset);
    }
  }
  return -ENOSPC;
}

/** The lowest address from `start` on that lies at this offset in a step. */
function fit(start: number, step: number, offset: number): number {
  return Math.ceil((start - offset) / step) * step + offset;
}

/** The largest power of two that divides an address; of 0 every one does. */
function lowestBit(address: number): number {
  if (address === 0) return ADDRESS_END;
  let bit = 1;
  while ((address / bit) % 2 === 0) bit *= 2;
  return bit;
}
