import type { DmaAccess } from '../hardware/dma.js';

/** What a guest's IOMMU tells of: a range that leads somewhere from now on, or nowhere without access. */
export interface IommuEvent {
  /** Relative to the region. */
  readonly iova: number;
  /** Bytes. */
  readonly size: number;
  /** Guest physical address. */
  readonly target: number;
  /** 0: unmapped. */
  readonly access: DmaAccess;
}

/** Addresses that a guest's IOMMU translates: a window of a host bridge, all that a device sees behind a vIOMMU. */
export interface IommuRegion {
  readonly type: 'iommu';
  readonly name: string;
  /** The smallest page that it can map. */
  readonly page: number;
  /** What it asks of the host's window, if it is one that a guest has made. */
  readonly pageShift?: number;
  /** The number by which hypercalls name it. */
  readonly liobn?: number;
  /** Tells of everything that is mapped now, then of every change; the returned function ends that. */
  subscribe(listener: (event: IommuEvent) => void): () => void;
}

/** Memory of the guest, or of a device of its, in the monitor's process. */
export interface RamRegion {
  readonly type: 'ram' | 'ram-device';
  readonly name: string;
  /** Where the monitor has its first byte. */
  readonly address: number;
  /** The guest cannot write it: a ROM. */
  readonly readonly?: boolean;
  /** The guest has it encrypted: nobody else can use it. */
  readonly protected?: boolean;
}

/** Registers that answer themselves: no memory. */
export interface MmioRegion {
  readonly type: 'mmio';
  readonly name: string;
}

/** What can be in an address space. */
export type MemoryRegion = RamRegion | MmioRegion | IommuRegion;

/** A part of a region at an address (QEMU's MemoryRegionSection). */
export interface MemorySection {
  readonly start: number;
  readonly size: number;
  readonly region: MemoryRegion;
  /** Where in the region it starts. */
  readonly offset: number;
}
