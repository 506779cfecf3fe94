import { errnoName } from '@vfiokit/uapi';
import { ADDRESS_END, alignDown, alignUp, hex } from '../address/address.js';
import { DMA_READ, DMA_WRITE } from '../hardware/dma.js';
import type { AddressSpace, AddressSpaceListener } from './address-space.js';
import type { DmaSpace } from './dma-space.js';
import type { IommuEvent, IommuRegion, MemorySection, RamRegion } from './memory-region.js';

/** How much went wrong, and what it means: the device fails, the machine does, or somebody is told. */
export type FillSeverity = 'fatal' | 'warning';

/** Something that could not be mapped. */
export interface FillProblem {
  readonly severity: FillSeverity;
  readonly message: string;
}

/** What a filler needs to know of its guest. */
export interface FillerOptions {
  /** The guest's memory as its CPU sees it: where IOMMU events lead to. */
  readonly system: AddressSpace;
  /** Bytes of a page of the host. */
  readonly hostPage: number;
  readonly report: (problem: FillProblem) => void;
}

/** Part of a section that is mapped: whole pages of the host. */
interface Extent {
  readonly start: number;
  readonly size: number;
  /** Where the monitor has it. */
  readonly address: number;
}

/**
 * Keeps a DMA space filled with what is in an address space (QEMU's hw/vfio/listener.c): memory is mapped as it comes and
 * goes; where a guest's IOMMU translates, its events are. It knows nothing of kinds of IOMMUs but what they can do.
 */
export class SpaceFiller implements AddressSpaceListener {
  readonly #notifiers = new Map<MemorySection, () => void>();
  readonly #mapped = new Map<MemorySection, Extent>();

  constructor(
    private readonly space: DmaSpace,
    private readonly options: FillerOptions,
  ) {}

  added(section: MemorySection): void {
    const { region } = section;
    if (!relevant(section)) return;
    if (region.type === 'iommu') this.#addIommu(section, region);
    else if (region.type !== 'mmio') this.#addRam(section, region);
  }

  removed(section: MemorySection): void {
    const unsubscribe = this.#notifiers.get(section);
    if (unsubscribe) {
      unsubscribe();
      this.#notifiers.delete(section);
      this.#removeIommu(section);
      return;
    }
    const extent = this.#mapped.get(section);
    if (extent === undefined) return;
    this.#mapped.delete(section);
    this.space.unmap(extent.start, extent.size);
  }

  #addRam(section: MemorySection, region: RamRegion): void {
    const device = region.type === 'ram-device';
    const extent = this.#extentOf(section, region);
    if (extent === undefined) return;
    const granule = Number(this.space.capabilities.pageSizes & -this.space.capabilities.pageSizes);
    if (device && (extent.start % granule || extent.size % granule)) return;
    const access = region.readonly ? DMA_READ : DMA_READ | DMA_WRITE;
    const result = this.space.map(extent.start, extent.address, extent.size, access);
    if (result === 0) this.#mapped.set(section, extent);
    else
      this.options.report({
        severity: device ? 'warning' : 'fatal',
        message: `${region.name}: mapping ${hex(extent.start)} in ${this.space.label} fails with ${errnoName(result)}${device ? '; DMA between devices will not work' : ''}`,
      });
  }

  /** The whole host pages of a section; `undefined` if there is none. */
  #extentOf(section: MemorySection, region: RamRegion): Extent | undefined {
    const { hostPage } = this.options;
    if (section.start % hostPage !== (region.address + section.offset) % hostPage) {
      this.options.report({
        severity: 'warning',
        message: `${region.name}: at ${hex(section.start)} it lies otherwise in its page than in the monitor's memory, and is not mapped`,
      });
      return undefined;
    }
    const start = alignUp(section.start, hostPage);
    const end = alignDown(section.start + section.size, hostPage);
    if (start >= end) return undefined;
    return {
      start,
      size: end - start,
      address: region.address + section.offset + start - section.start,
    };
  }

  #addIommu(section: MemorySection, region: IommuRegion): void {
    const refused = this.#addWindow(section, region);
    if (refused !== undefined) {
      this.options.report({ severity: 'fatal', message: `${region.name}: ${refused}` });
      return;
    }
    this.#notifiers.set(
      section,
      region.subscribe((event) => this.#translated(section, region, event)),
    );
  }

  /** Makes sure that the space reaches a guest's window; why it does not. */
  #addWindow({ start, size }: MemorySection, region: IommuRegion): string | undefined {
    const { space } = this;
    const { dynamicWindows, ranges } = space.capabilities;
    if (!dynamicWindows || region.pageShift === undefined) {
      // Only what has bounds of its own can be outside of the host's.
      const inside = ranges.some((range) => start >= range.start && start + size <= range.end);
      return inside || region.pageShift === undefined
        ? undefined
        : `the window at ${hex(start)} is not within what ${space.label} can map`;
    }
    const pageShift = this.#windowPageShift(region.pageShift);
    if (pageShift === undefined) return `${space.label} has no page as small as the window's`;
    const made = space.addWindow?.({ start, size, pageShift });
    if (made === undefined || typeof made === 'number')
      return `${space.label} makes no window at ${hex(start)}: ${made === undefined ? 'it cannot' : errnoName(made)}`;
    if (made.start === start) return undefined;
    space.removeWindow?.(made.start);
    return `${space.label} makes the window at ${hex(made.start)} instead of ${hex(start)}`;
  }

  /** The largest page of the host that is neither larger than the guest's nor than what backs its memory. */
  #windowPageShift(guestShift: number): number | undefined {
    const largest = Math.min(guestShift, Math.log2(this.options.hostPage));
    for (let shift = largest; shift >= 0; shift -= 1)
      if (this.space.capabilities.pageSizes & (1n << BigInt(shift))) return shift;
    return undefined;
  }

  #removeIommu(section: MemorySection): void {
    const { space } = this;
    if (space.groups.length === 0) return;
    const size = Math.min(section.size, ADDRESS_END - section.start);
    space.unmap(section.start, size);
    const { region } = section;
    if (
      space.capabilities.dynamicWindows &&
      region.type === 'iommu' &&
      region.pageShift !== undefined
    )
      space.removeWindow?.(section.start);
  }

  /** The guest's IOMMU leads somewhere else from now on. What goes wrong here never reaches the guest. */
  #translated(section: MemorySection, region: IommuRegion, event: IommuEvent): void {
    const iova = section.start + event.iova;
    if (event.access === 0) {
      this.space.unmap(iova, event.size);
      return;
    }
    const ram = this.options.system.ram(event.target);
    const warn = (why: string) =>
      this.options.report({
        severity: 'warning',
        message: `${region.name}: ${hex(iova)} to guest address ${hex(event.target)}: ${why}`,
      });
    if (ram?.region.type !== 'ram' || event.target + event.size > ram.start + ram.size) {
      warn('there is no memory');
      return;
    }
    const address = ram.region.address + ram.offset + event.target - ram.start;
    const access = ram.region.readonly ? event.access & ~DMA_WRITE : event.access;
    const result = this.space.map(iova, address, event.size, access);
    if (result !== 0) warn(`${this.space.label} answers ${errnoName(result)}`);
  }
}

/** Whether a section can concern a DMA space at all. Addresses in the upper half come from BARs that are being sized. */
function relevant({ start, region }: MemorySection): boolean {
  if (region.type === 'mmio' || start >= ADDRESS_END / 2) return false;
  return region.type === 'iommu' || !region.protected;
}

/** Registers memory as it comes and goes: for spaces in which only registered memory can be mapped. */
export class MemoryRegistrar implements AddressSpaceListener {
  constructor(
    private readonly space: DmaSpace,
    private readonly options: FillerOptions,
  ) {}

  added(section: MemorySection): void {
    const { region } = section;
    if (region.type !== 'ram' || region.protected) return;
    const { hostPage } = this.options;
    const address = region.address + section.offset;
    const aligned = address % hostPage === 0 && section.size % hostPage === 0;
    const result = aligned ? this.space.register?.(address, section.size) : undefined;
    if (result === 0) return;
    this.options.report({
      severity: aligned ? 'fatal' : 'warning',
      message: `${region.name}: ${aligned ? `registering it fails with ${errnoName(result ?? 0)}` : 'it is not whole pages, and not registered'}`,
    });
  }

  removed(section: MemorySection): void {
    const { region } = section;
    if (region.type !== 'ram' || region.protected) return;
    this.space.unregister?.(region.address + section.offset, section.size);
  }
}
