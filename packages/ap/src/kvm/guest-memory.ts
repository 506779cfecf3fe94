const PAGE = 4096;

/** A range of a guest's storage, in bytes. */
export interface MemorySlot {
  readonly start: number;
  readonly size: number;
}

/** Pins pages of a guest, as VFIO does for a device that has no IOMMU of its own (vfio_pin_pages). */
export interface PagePins {
  /** Pins the page that holds an address for reading and writing; false if it cannot be. */
  pin(address: number): boolean;
  /** Lets go of it. */
  unpin(address: number): void;
}

/**
 * A guest's storage as KVM and VFIO know it: memory slots, which of their pages are mapped for devices, which of them a
 * protected guest shares with its host, and who holds pins.
 */
export class GuestMemory implements PagePins {
  readonly #pins = new Map<number, number>();
  readonly #unmapped: MemorySlot[] = [];
  readonly #shared = new Set<number>();

  constructor(private readonly slots: readonly MemorySlot[] = [{ start: 0, size: 2 ** 30 }]) {}

  /** Whether an address lies in a memory slot. */
  contains(address: number): boolean {
    return this.slots.some(({ start, size }) => address >= start && address < start + size);
  }

  /** Takes a range out of the device's mapping, as an unmap of the container or IOAS does. */
  unmap(start: number, size: number): void {
    this.#unmapped.push({ start, size });
  }

  pin(address: number): boolean {
    const hidden = this.#unmapped.some((m) => address >= m.start && address < m.start + m.size);
    if (hidden || !this.contains(address)) return false;
    const page = Math.floor(address / PAGE);
    this.#pins.set(page, this.pins(address) + 1);
    return true;
  }

  unpin(address: number): void {
    this.#pins.set(Math.floor(address / PAGE), Math.max(0, this.pins(address) - 1));
  }

  /** How many pins the page of an address has. */
  pins(address: number): number {
    return this.#pins.get(Math.floor(address / PAGE)) ?? 0;
  }

  /** How many pins there are in all. */
  get pinned(): number {
    return [...this.#pins.values()].reduce((sum, pins) => sum + pins, 0);
  }

  /** A protected guest makes a page accessible to its host. */
  share(address: number): void {
    this.#shared.add(Math.floor(address / PAGE));
  }

  isShared(address: number): boolean {
    return this.#shared.has(Math.floor(address / PAGE));
  }
}
