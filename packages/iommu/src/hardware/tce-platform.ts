/**
 * A POWER platform's side of DMA windows (the kernel's struct iommu_table_group_ops): what windows there can be. Groups
 * with the same platform object share its way to make tables and may share a container.
 */
export interface TcePlatform {
  readonly name: 'powernv' | 'pseries';
  /** The default 32-bit window: bus address, bytes, page. */
  readonly dma32: { readonly start: number; readonly size: number; readonly pageShift: number };
  /** Page sizes of windows that are made; 0 where no windows can be made. */
  readonly pageSizes: number;
  /** How many windows there can be; 0 without dynamic windows. */
  readonly maxDynamicWindows: number;
  /** Most levels of a table. */
  readonly levels: number;
  /** Where the second window starts. */
  readonly secondStart: number;
  /** The default window can be made again after it was removed. The hypervisor of an LPAR does not offer it. */
  readonly recreatesDefault: boolean;
  /** Error handling of partitionable endpoints is available. */
  readonly eeh: boolean;
}

/** Bare metal: two windows of the user's choice. The first lies below the 32-bit MMIO area. */
export const POWERNV: TcePlatform = {
  name: 'powernv',
  dma32: { start: 0, size: 0x8000_0000, pageShift: 12 },
  // 4 KiB, 64 KiB, 16 MiB and 256 MiB: a POWER8's.
  pageSizes: 0x1101_1000,
  maxDynamicWindows: 2,
  levels: 5,
  secondStart: 2 ** 59,
  recreatesDefault: true,
  eeh: true,
};

/** An LPAR, as the hypervisor sets it up: here QEMU's pseries machine. */
export const PSERIES: TcePlatform = {
  name: 'pseries',
  dma32: { start: 0, size: 0x4000_0000, pageShift: 12 },
  // 4 KiB, 64 KiB, 2 MiB and 16 MiB.
  pageSizes: 0x0121_1000,
  maxDynamicWindows: 2,
  levels: 1,
  secondStart: 2 ** 59,
  recreatesDefault: false,
  eeh: false,
};
