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
const HIGH_EXACT = 2 ** 21;

/** A 64-bit field of a caller's, not checked yet: a number where that is exact, below 2^53, and a bigint beyond. */
export type Field64 = number | bigint;

/** Reads such a field: nearly always a number, which costs a tenth of a bigint. */
export function readField64(view: DataView, at: number): Field64 {
  const high = view.getUint32(at + 4, true);
  return high < HIGH_EXACT
    ? high * 2 ** 32 + view.getUint32(at, true)
    : view.getBigUint64(at, true);
}

/** Writes a number of at most 2^64 bytes as such a field: 2^64 itself is 0, as it is to C. */
export function writeField64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 2 ** 32, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32) % 2 ** 32, true);
}

/** Whether `start + size - 1` passes the end of the 64-bit space. */
export function wraps(start: Field64, size: Field64): boolean {
  if (typeof start === 'number' && typeof size === 'number') return false;
  return BigInt(start) + BigInt(size) > SPACE;
}

/** Whether a field is a multiple of a power of two. */
export function isMultiple(value: Field64, unit: number): boolean {
  return typeof value === 'number' ? value % unit === 0 : value % BigInt(unit) === 0n;
}

/** Whether a number is a multiple of a power of two. */
export function aligned(value: number, unit: number): boolean {
  const units = value / unit;
  return units === Math.floor(units);
}

/** Whether a number holds a field's value: above 2^53 only multiples of 2 KiB can be told apart, and nothing else can be mapped. */
export function exact(value: bigint): boolean {
  return BigInt(Number(value)) === value;
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
