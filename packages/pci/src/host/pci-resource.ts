import type { Bar } from '../silicon/bar.js';

/** Kinds and properties of a resource, as the third column of sysfs's `resource` (include/linux/ioport.h). */
export const IORESOURCE_IO = 0x00000100;
export const IORESOURCE_MEM = 0x00000200;
export const IORESOURCE_PREFETCH = 0x00002000;
export const IORESOURCE_READONLY = 0x00004000;
export const IORESOURCE_SIZEALIGN = 0x00040000;
export const IORESOURCE_MEM_64 = 0x00100000;
export const IORESOURCE_UNSET = 0x20000000;
/** Of a ROM: decoding stays enabled (include/linux/ioport.h). */
export const IORESOURCE_ROM_ENABLE = 0x00000001;
/** Of a ROM: it is the copy that firmware made in RAM. */
export const IORESOURCE_ROM_SHADOW = 0x00000002;

/** The resource number of the expansion ROM; 0 to 5 are the base address registers. */
export const PCI_ROM_RESOURCE = 6;

/** A range of addresses that the host has given to a function. */
export class PciResource {
  /** The first address; 0 where none was assigned. */
  readonly start: bigint;
  /** Bytes; 0 for an absent resource. May exceed 2^32. */
  readonly length: number;
  /** IORESOURCE_*, with the register's type bits in the low four. */
  readonly flags: number;
  readonly isMemory: boolean;
  readonly isIo: boolean;
  readonly isPrefetchable: boolean;
  readonly is64Bit: boolean;

  constructor(start: bigint, length: number, flags: number) {
    this.start = start;
    this.length = length;
    this.flags = flags;
    this.isMemory = (flags & IORESOURCE_MEM) !== 0;
    this.isIo = (flags & IORESOURCE_IO) !== 0;
    this.isPrefetchable = (flags & IORESOURCE_PREFETCH) !== 0;
    this.is64Bit = (flags & IORESOURCE_MEM_64) !== 0;
  }

  /** The last address; `start - 1` for an absent resource. */
  get end(): bigint {
    return this.start + BigInt(this.length) - 1n;
  }

  /** There is such a resource and it has an address. */
  get assigned(): boolean {
    return this.length !== 0 && (this.flags & IORESOURCE_UNSET) === 0;
  }

  overlaps(start: bigint, end: bigint): boolean {
    return this.length !== 0 && this.start <= end && this.end >= start;
  }
}

/** What a function does not have. */
export const NO_RESOURCE = new PciResource(0n, 0, 0);

/** The resource behind a base address register at an address. */
export function barResource(bar: Bar, start: bigint): PciResource {
  if (bar.kind === 'io')
    return new PciResource(start, bar.size, IORESOURCE_SIZEALIGN | IORESOURCE_IO | 0x1);
  const prefetch = bar.prefetchable ? IORESOURCE_PREFETCH | 0x8 : 0;
  const wide = bar.is64Bit ? IORESOURCE_MEM_64 | 0x4 : 0;
  const flags = IORESOURCE_SIZEALIGN | IORESOURCE_MEM | prefetch | wide;
  return new PciResource(start, bar.size, flags);
}

/** The resource behind an expansion ROM's base address register. */
export function romResource(size: number, start: bigint): PciResource {
  const flags = IORESOURCE_SIZEALIGN | IORESOURCE_READONLY | IORESOURCE_PREFETCH | IORESOURCE_MEM;
  return size === 0 ? NO_RESOURCE : new PciResource(start, size, flags);
}
