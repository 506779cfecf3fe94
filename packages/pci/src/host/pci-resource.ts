import type { Bar } from '../silicon/bar.js';
import type { BarDescription } from '../silicon/base-address.js';

// Kinds and properties of a resource, as the third column of sysfs's `resource` (include/linux/ioport.h).
/** Of I/O: fixed addresses that no register holds. */
export const IORESOURCE_PCI_FIXED = 0x00000010;
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
/** The resource number of a physical function's first VF BAR. */
export const PCI_IOV_RESOURCES = 7;

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

/** The resource behind a base address register at an address; of a VF BAR, with a window for each of `windows` VFs. */
export function barResource(bar: Bar, start: bigint, windows = 1): PciResource {
  const length = bar.size * windows;
  if (bar.kind === 'io')
    return new PciResource(start, length, IORESOURCE_SIZEALIGN | IORESOURCE_IO | 0x1);
  const prefetch = bar.prefetchable ? IORESOURCE_PREFETCH | 0x8 : 0;
  const wide = bar.is64Bit ? IORESOURCE_MEM_64 | 0x4 : 0;
  const flags = IORESOURCE_SIZEALIGN | IORESOURCE_MEM | prefetch | wide;
  return new PciResource(start, length, flags);
}

/** The resource behind an expansion ROM's base address register. */
export function romResource(size: number, start: bigint): PciResource {
  const flags = IORESOURCE_SIZEALIGN | IORESOURCE_READONLY | IORESOURCE_PREFETCH | IORESOURCE_MEM;
  return size === 0 ? NO_RESOURCE : new PciResource(start, size, flags);
}

/** The base address registers behind a host's resources, which knows how large they are. */
export function resourceBars(resources: readonly PciResource[]): (BarDescription | undefined)[] {
  return windows(resources.slice(0, PCI_ROM_RESOURCE), 1);
}

/** The VF BARs behind a physical function's resources 7 to 12, each of which holds a window for every VF. */
export function resourceVfBars(
  resources: readonly PciResource[],
  totalVfs: number,
): (BarDescription | undefined)[] {
  return windows(resources.slice(PCI_IOV_RESOURCES, PCI_IOV_RESOURCES + 6), totalVfs);
}

function windows(resources: readonly PciResource[], count: number): (BarDescription | undefined)[] {
  return resources.map((resource) => {
    const { length, flags, isIo } = resource;
    // Ports of legacy controllers are resources without a register.
    if (length === 0 || (isIo && (flags & IORESOURCE_PCI_FIXED) !== 0)) return undefined;
    return {
      size: length / count,
      kind: isIo ? 'io' : 'memory',
      is64Bit: resource.is64Bit,
      prefetchable: resource.isPrefetchable,
    };
  });
}
