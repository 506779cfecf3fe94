import { E2BIG, EACCES, EBUSY, EFAULT, EINVAL, EOVERFLOW, EPERM } from '@vfiokit/uapi';
import { ADDRESS_END } from '../address/address.js';
import { type EmulatedDma, PIN_PAGES_MAX, type PinnedPage } from '../container/emulated-dma.js';
import { DMA_READ, DMA_WRITE, type DmaAccess } from '../hardware/dma.js';
import type { Type1Mappings } from './mappings.js';

/** What emulated pages need to know of their container. */
export interface EmulatedPagesHost {
  readonly v2: boolean;
  readonly mappings: Type1Mappings;
  /** Some open device wants to be told of unmaps. */
  readonly notifies: boolean;
  /** The group has pinned pages: it is taken to tell what it writes from now on. */
  pinned(): void;
}

/** What a type1 container offers to drivers that do the DMA for their devices (vfio_iommu_type1_pin_pages, _dma_rw). */
export class Type1EmulatedPages implements EmulatedDma {
  constructor(private readonly host: EmulatedPagesHost) {}

  pinPages(iova: number, count: number, access: DmaAccess): readonly PinnedPage[] | number {
    const { mappings } = this.host;
    if (count > PIN_PAGES_MAX) return -E2BIG;
    if (count <= 0) return -EINVAL;
    if (!this.host.v2) return -EACCES;
    if (iova + count * mappings.page > ADDRESS_END) return -EOVERFLOW;
    if (mappings.invalid > 0) return -EBUSY;
    if (!this.host.notifies) return -EINVAL;
    const pages = mappings.pins.pin(iova, count, access);
    if (typeof pages !== 'number') this.host.pinned();
    return pages;
  }

  unpinPages(iova: number, count: number): void {
    if (this.host.v2) this.host.mappings.pins.unpin(iova, count);
  }

  read(iova: number, into: Uint8Array): number {
    return this.#copy(iova, into, DMA_READ);
  }

  write(iova: number, from: Uint8Array): number {
    return this.#copy(iova, from, DMA_READ | DMA_WRITE);
  }

  #copy(iova: number, buffer: Uint8Array, needed: DmaAccess): number {
    const { mappings } = this.host;
    const { tree } = mappings;
    if (mappings.invalid > 0) return -EBUSY;
    let done = 0;
    while (done < buffer.length) {
      const at = iova + done;
      const row = tree.find(at);
      if (row === 0) return -EINVAL;
      if ((tree.flags(row) & needed) !== needed) return -EPERM;
      const { process } = tree.object(row);
      if (process.exited) return -EPERM;
      const size = Math.min(tree.end(row) - at, buffer.length - done);
      const part = buffer.subarray(done, done + size);
      if (needed & DMA_WRITE) {
        if (!process.memory.write(mappings.vaddr(row, at), part)) return -EFAULT;
        mappings.tracking?.written.set(at, at + size);
      } else {
        const bytes = process.memory.read(mappings.vaddr(row, at), size);
        if (bytes === undefined) return -EFAULT;
        part.set(bytes);
      }
      done += size;
    }
    return 0;
  }
}
