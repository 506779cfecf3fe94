import { DMA_READ, DMA_WRITE, type EmulatedDma } from '@vfiokit/iommu';

const PAGE = 4096;

/** The pages of a user's storage that the driver of an emulated device holds pinned, while the device is open. */
export class PagePins {
  readonly #counts = new Map<number, number>();

  /** @param dma how the device's door reaches the user's storage. */
  constructor(private readonly dma: () => EmulatedDma | undefined) {}

  /** Pins the page of an address for reading and writing (vfio_pin_pages); false if it cannot be. */
  pin(address: number): boolean {
    const page = pageOf(address);
    const pages = this.dma()?.pinPages(page * PAGE, 1, DMA_READ | DMA_WRITE);
    if (pages === undefined || typeof pages === 'number' || pages.length !== 1) return false;
    this.#counts.set(page, this.count(address) + 1);
    return true;
  }

  /** Lets go of it. */
  unpin(address: number): void {
    const page = pageOf(address);
    this.dma()?.unpinPages(page * PAGE, 1);
    const left = this.count(address) - 1;
    if (left > 0) this.#counts.set(page, left);
    else this.#counts.delete(page);
  }

  /** How many pins the page of an address has. */
  count(address: number): number {
    return this.#counts.get(pageOf(address)) ?? 0;
  }

  /** How many pins there are in all. */
  get total(): number {
    return [...this.#counts.values()].reduce((sum, pins) => sum + pins, 0);
  }
}

function pageOf(address: number): number {
  return Math.floor(address / PAGE);
}
