import { ADDRESS_END, type AddressRange } from './address.js';

/** All addresses there are. */
const WHOLE_SPACE: AddressRange = { start: 0, end: ADDRESS_END };

/** Addresses that can be used: disjoint ranges, ascending. Immutable. */
export class IovaRanges implements Iterable<AddressRange> {
  constructor(private readonly ranges: readonly AddressRange[] = [WHOLE_SPACE]) {}

  /** Nothing can be used. */
  get empty(): boolean {
    return this.ranges.length === 0;
  }

  get length(): number {
    return this.ranges.length;
  }

  /** Whether one of the ranges holds all of `[start, end)`. */
  hold(start: number, end: number): boolean {
    for (const range of this.ranges) if (start >= range.start && end <= range.end) return true;
    return false;
  }

  /** What lies within an aperture. */
  within({ start, end }: AddressRange): IovaRanges {
    return new IovaRanges(
      this.ranges
        .map((range) => ({ start: Math.max(range.start, start), end: Math.min(range.end, end) }))
        .filter((range) => range.start < range.end),
    );
  }

  /** What is left without a range. */
  without({ start, end }: AddressRange): IovaRanges {
    return new IovaRanges(
      this.ranges.flatMap((range) =>
        range.end <= start || range.start >= end
          ? [range]
          : [
              { start: range.start, end: start },
              { start: end, end: range.end },
            ].filter((part) => part.start < part.end),
      ),
    );
  }

  [Symbol.iterator](): Iterator<AddressRange> {
    return this.ranges[Symbol.iterator]();
  }
}
