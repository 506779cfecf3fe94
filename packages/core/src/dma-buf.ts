import type { PciDevice } from '@vfiokit/pci';
import { type DmaBufFile, EINVAL, ENODEV, EOPNOTSUPP, EOVERFLOW } from '@vfiokit/uapi';
import type { DmaBufProvider, IovaRange } from './extension.js';

/** Who wants to reach device memory through an exported buffer. */
export interface DmaBufImporter {
  /** It can talk to the device without going through memory. */
  readonly peerToPeer: boolean;
  /** Called when the buffer may not be used any more, and when it may again. */
  moved?(usable: boolean): void;
}

/** Ranges of a BAR lent to others as a dma-buf; revoked whenever the device's memory goes away (vfio_pci_dmabuf.c). */
export class DmaBuf implements DmaBufFile {
  readonly kind = 'dma-buf';
  readonly #importers = new Set<DmaBufImporter>();
  /** The device has closed: revoked for good. */
  #abandoned = false;

  constructor(
    readonly ranges: readonly IovaRange[],
    private usable: boolean,
    private readonly closed: (buffer: DmaBuf) => void,
  ) {}

  get revoked(): boolean {
    return !this.usable;
  }

  /** 0; `-EOPNOTSUPP` for an importer that can't reach the device or can't give it back; `-ENODEV` while revoked. */
  attach(importer: DmaBufImporter): number {
    if (!importer.peerToPeer || importer.moved === undefined) return -EOPNOTSUPP;
    if (this.revoked) return -ENODEV;
    this.#importers.add(importer);
    return 0;
  }

  detach(importer: DmaBufImporter): void {
    this.#importers.delete(importer);
  }

  /** The physical ranges, or `-ENODEV` while revoked. */
  map(): readonly IovaRange[] | number {
    return this.revoked ? -ENODEV : this.ranges;
  }

  setUsable(usable: boolean): void {
    if (usable === this.usable || this.#abandoned) return;
    this.usable = usable;
    for (const importer of this.#importers) importer.moved?.(usable);
  }

  /** The device closes: the buffer outlives it as a husk. */
  abandon(): void {
    this.setUsable(false);
    this.#abandoned = true;
  }

  close(): void {
    this.closed(this);
  }
}

/** The dma-bufs that a device has lent out. */
export class DmaBufs {
  readonly #all = new Set<DmaBuf>();

  get size(): number {
    return this.#all.size;
  }

  export(ranges: readonly IovaRange[], usable: boolean): DmaBuf {
    const buffer = new DmaBuf(ranges, usable, (closed) => this.#all.delete(closed));
    this.#all.add(buffer);
    return buffer;
  }

  /** Revokes them all, or lets them be used again (vfio_pci_dma_buf_move). */
  move(revoked: boolean): void {
    for (const buffer of this.#all) buffer.setUsable(!revoked);
  }

  /** The last close (vfio_pci_dma_buf_cleanup). */
  abandon(): void {
    for (const buffer of this.#all) buffer.abandon();
    this.#all.clear();
  }
}

/** The memory behind a BAR, as the bus sees it (vfio_pci_dmabuf.c: vfio_pci_core_get_dmabuf_phys). */
export class BarDmaBufProvider implements DmaBufProvider {
  constructor(private readonly pdev: PciDevice) {}

  /** `-EINVAL` if the BAR is no memory or too short, `-EOVERFLOW` if the address wraps. */
  physicalRanges(region: number, offset: bigint, length: bigint): readonly IovaRange[] | number {
    const resource = this.pdev.resources[region]!;
    if (!resource.isMemory) return -EINVAL;
    if (resource.start + offset + length > 1n << 64n) return -EOVERFLOW;
    if (offset + length > BigInt(resource.length)) return -EINVAL;
    return [{ iova: resource.start + offset, length }];
  }
}
