import { EBUSY } from '@vfiokit/uapi';
import type { PciDevice } from './pci-device.js';

/** Which BARs of a function, and which rests of pages behind small ones, a driver has reserved (kernel/resource.c). */
export class BarReservations {
  readonly #bars = new Set<number>();
  readonly #remainders = new Set<number>();

  constructor(private readonly device: PciDevice) {}

  /** 0, or `-EBUSY` where somebody has it (pci_request_selected_regions). */
  reserve(index: number): number {
    if (this.#bars.has(index)) return -EBUSY;
    const error = this.device.platform.reserveBar?.(this.device, index) ?? 0;
    if (error === 0) this.#bars.add(index);
    return error;
  }

  release(index: number): void {
    this.#bars.delete(index);
  }

  /** Whether the rest of the page behind a BAR that is smaller than a page could be had; it is reserved then. */
  reserveRemainder(index: number): boolean {
    const { device } = this;
    const free = device.platform.pageRemainderFree?.(device, index) ?? this.#isFree(index);
    if (free) this.#remainders.add(index);
    return free;
  }

  releaseRemainder(index: number): void {
    this.#remainders.delete(index);
  }

  /** The addresses from the end of a BAR to the end of its page, if reserved. */
  remainder(index: number): readonly [start: bigint, end: bigint] | undefined {
    return this.#remainders.has(index) ? this.#range(index) : undefined;
  }

  #range(index: number): readonly [start: bigint, end: bigint] {
    const { end } = this.device.resources[index]!;
    const page = BigInt(this.device.platform.pageSize ?? 4096);
    return [end + 1n, (end / page + 1n) * page - 1n];
  }

  #isFree(index: number): boolean {
    const [start, end] = this.#range(index);
    for (const other of this.device.bus.topology.devices)
      for (const [resource, range] of other.resources.entries()) {
        if (range.isMemory && range.overlaps(start, end)) return false;
        const reserved = other.reservations.remainder(resource);
        if (reserved !== undefined && reserved[0] <= end && reserved[1] >= start) return false;
      }
    return true;
  }
}
