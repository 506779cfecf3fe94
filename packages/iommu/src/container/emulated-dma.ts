import type { UserMapping } from '@vfiokit/uapi';
import type { DmaAccess } from '../hardware/dma.js';

/** A page that a driver has pinned: it can be used until it is unpinned. */
export interface PinnedPage {
  readonly memory: UserMapping;
  /** Where the page starts in it, in bytes. */
  readonly offset: number;
}

/** How many pages a driver may pin with one call (VFIO_PIN_PAGES_MAX_ENTRIES). */
export const PIN_PAGES_MAX = 512;

/**
 * What the kernel offers to drivers that do the DMA for their devices (vfio_main.c: vfio_pin_pages, vfio_unpin_pages,
 * vfio_dma_rw). Addresses are IOVAs of the device.
 */
export interface EmulatedDma {
  /**
   * Pins pages so that the driver can use them for longer.
   *
   * @param iova page aligned.
   * @param access what the pages are needed for.
   * @returns the pages; or with none pinned `-E2BIG` (more than 512), `-EINVAL` (nothing mapped there, no page, nobody
   * to tell of an unmap), `-EPERM` (mapped without that permission), `-EACCES` (a type1 v1 container), `-EBUSY` (a
   * virtual address is withdrawn), `-EOVERFLOW`, `-ENOMEM`, `-EFAULT`.
   */
  pinPages(iova: number, count: number, access: DmaAccess): readonly PinnedPage[] | number;
  /** Drops one pin of each page. Pages that are not pinned are passed over; it ends at the first that is not mapped. */
  unpinPages(iova: number, count: number): void;
  /** Copies from the user's memory; 0 or a negated errno. What lies before the place that failed has been copied. */
  read(iova: number, into: Uint8Array): number;
  /** Copies to the user's memory; type1 wants it mapped for reading too. */
  write(iova: number, from: Uint8Array): number;
}
