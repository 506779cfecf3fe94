/**
 * Addresses are doubles that count bytes, and ranges end *before* `end`.
 *
 * A double has 53 significant bits, so it holds every address below 2^53 and every multiple of 2 KiB up to and including
 * 2^64 exactly: all that an IOMMU with pages of 2 KiB or more can map. `bigint` is for the 64-bit fields that callers
 * hand in, which are checked for wrap-around and alignment before they become numbers.
 */
export interface AddressRange {
  readonly start: number;
  /** The first address behind it. */
  readonly end: number;
}

/** The first address behind the 64-bit space. */
export const ADDRESS_END = 2 ** 64;

const SPACE = 1n << 64n;

/** Whether `start + size - 1` passes the end of the 64-bit space. */
export function wraps(start: bigint, size: bigint): boolean {
  return start + size > SPACE;
}

/** Whether a number is a multiple of a power of two. */
export function aligned(value: number, unit: number): boolean {
  const units = value / unit;
  return units === Math.floor(units);
}

/** The next multiple of a power of two, or the number itself. */
export function alignUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

/** The previous multiple of a power of two, or the number itself. */
export function alignDown(value: number, unit: number): number {
  return Math.floor(value / unit) * unit;
}

/** The last address of a range, as the 64-bit fields of the interface want it. */
export function lastOf(range: AddressRange): bigint {
  return BigInt(range.end) - 1n;
}

/** An address for a message. */
export function hex(address: number | bigint): string {
  return `0x${address.toString(16)}`;
}
