import { EADDRINUSE } from '@vfiokit/uapi';
import type { AddressRange } from '../address/address.js';
import { IovaRanges } from '../address/iova-ranges.js';

/** A range that can't be mapped, and because of whom. */
interface Reservation extends AddressRange {
  readonly owner: object;
}

/** Which IOVAs of an address space can be mapped, and which are to be chosen from (io_pagetable.c). */
export class IovaPolicy {
  #reserved: readonly Reservation[] = [];
  #allowed: readonly AddressRange[] = [];

  /** Where something can be mapped. */
  get usable(): IovaRanges {
    return this.#reserved.reduce((ranges, range) => ranges.without(range), new IovaRanges());
  }

  /** Where IOVAs are chosen from; empty for anywhere. */
  get allowed(): readonly AddressRange[] {
    return this.#allowed;
  }

  /** The first reservation that meets a range. */
  reservedIn(range: AddressRange): AddressRange | undefined {
    return this.#reserved.find((reserved) => meet(reserved, range));
  }

  /** Whether IOVAs may be chosen from some of a range: it has to stay usable. */
  allowedIn(range: AddressRange): boolean {
    return this.#allowed.some((allowed) => meet(allowed, range));
  }

  /** Reserves ranges for somebody; whether they are in use is the caller's to know. */
  reserve(ranges: readonly AddressRange[], owner: object): void {
    this.#reserved = [...this.#reserved, ...ranges.map((range) => ({ ...range, owner }))];
  }

  /** Takes back what was reserved for somebody. */
  release(owner: object): void {
    this.#reserved = this.#reserved.filter((range) => range.owner !== owner);
  }

  /** Where IOVAs are to be chosen from: 0, or `-EADDRINUSE` if some of it is reserved, with the old list kept. */
  allow(ranges: readonly AddressRange[]): number {
    if (ranges.some((range) => this.reservedIn(range))) return -EADDRINUSE;
    this.#allowed = [...ranges].sort((a, b) => a.start - b.start);
    return 0;
  }
}

/** Whether two ranges have an address in common. */
function meet(one: AddressRange, other: AddressRange): boolean {
  return one.start < other.end && other.start < one.end;
}
