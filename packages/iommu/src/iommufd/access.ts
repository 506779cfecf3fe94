import { EINVAL, ENOENT, EPERM, type UserMapping } from '@vfiokit/uapi';
import { alignDown } from '../address/address.js';
import type { EmulatedDma, PinnedPage } from '../container/emulated-dma.js';
import type { GroupDevice } from '../group/group-device.js';
import { DMA_READ, DMA_WRITE, type DmaAccess, DmaHit } from '../hardware/dma.js';
import type { IoPages } from './io-pages.js';
import { Ioas, type IoasAccess } from './ioas.js';
import { IommufdObject, type ObjectTable } from './object.js';

/** All of the 64-bit space but its last byte: what an unmap of everything is told as. */
const EVERYTHING = 2n ** 64n - 1n;

interface Pin {
  readonly pages: IoPages;
  readonly from: number;
  /** The area's row. It does not go while something in it is pinned. */
  readonly row: number;
  readonly page: PinnedPage;
  references: number;
}

/** An emulated device's use of an address space (device.c: struct iommufd_access). */
export class IommufdAccess extends IommufdObject implements IoasAccess, EmulatedDma {
  readonly type = 'access';
  override readonly internal = true;
  #ioas: Ioas | undefined;
  readonly #pins = new Map<number, Pin>();

  constructor(
    private readonly objects: ObjectTable,
    private readonly device: GroupDevice,
    private readonly pageSize: number,
  ) {
    super();
  }

  get pins(): boolean {
    return this.device.dmaUnmap !== undefined;
  }

  /** The address space, if it is attached. */
  get ioas(): Ioas | undefined {
    return this.#ioas;
  }

  /** Attaches it to an address space, in the place of one that it had: 0, `-ENOENT` (no IOAS), `-EADDRINUSE`. */
  attach(id: number): number {
    const ioas = this.objects.find(id, Ioas);
    if (typeof ioas === 'number') return ioas;
    if (ioas === this.#ioas) return 0;
    const error = ioas.addAccess(this);
    if (error !== 0) return error;
    this.detach();
    this.#ioas = ioas;
    ioas.users += 1;
    return 0;
  }

  /** Detaches it. For its driver that is an unmap of everything. */
  detach(): void {
    const ioas = this.#ioas;
    if (ioas === undefined) return;
    this.device.dmaUnmap?.(0n, EVERYTHING);
    for (const iova of [...this.#pins.keys()]) this.#drop(ioas, iova);
    ioas.removeAccess(this);
    ioas.users -= 1;
    this.#ioas = undefined;
  }

  unmap(iova: number, length: number): void {
    this.device.dmaUnmap?.(BigInt(iova), BigInt(length));
  }

  override destroy(): void {
    this.detach();
  }

  pinPages(iova: number, count: number, access: DmaAccess): readonly PinnedPage[] | number {
    if (count <= 0 || !this.pins) return -EINVAL;
    if (this.#ioas === undefined) return -ENOENT;
    const pages: PinnedPage[] = [];
    for (let index = 0; index < count; index += 1) {
      const page = this.#pinOne(
        this.#ioas,
        alignDown(iova, this.pageSize) + index * this.pageSize,
        access,
      );
      if (typeof page === 'number') {
        this.unpinPages(iova, index);
        return page;
      }
      pages.push(page);
    }
    return pages;
  }

  unpinPages(iova: number, count: number): void {
    const ioas = this.#ioas;
    if (ioas === undefined) return;
    for (let index = 0; index < count; index += 1) {
      const at = alignDown(iova, this.pageSize) + index * this.pageSize;
      const pin = this.#pins.get(at);
      if (pin === undefined) continue;
      pin.references -= 1;
      if (pin.references === 0) this.#drop(ioas, at);
    }
  }

  read(iova: number, into: Uint8Array): number {
    return this.#copy(iova, into, DMA_READ);
  }

  write(iova: number, from: Uint8Array): number {
    return this.#copy(iova, from, DMA_WRITE);
  }

  #pinOne(ioas: Ioas, iova: number, access: DmaAccess): PinnedPage | number {
    const row = ioas.areas.find(iova);
    if (row === 0) return -ENOENT;
    if (access & DMA_WRITE && !(ioas.areas.flags(row) & DMA_WRITE)) return -EPERM;
    const held = this.#pins.get(iova);
    if (held) {
      held.references += 1;
      return held.page;
    }
    const pages = ioas.areas.object(row);
    if (pages.source.type === 'dma-buf') return -EINVAL;
    const from = ioas.areas.target(row) + iova - ioas.areas.start(row);
    const error = pages.pin(from, from + this.pageSize);
    if (error !== 0) return error;
    const hit = new DmaHit();
    pages.locate(from, this.pageSize, hit);
    const page = { memory: hit.memory!, offset: hit.offset };
    ioas.areas.accesses.add(row);
    this.#pins.set(iova, { pages, from, row, page, references: 1 });
    return page;
  }

  #drop(ioas: Ioas, iova: number): void {
    const pin = this.#pins.get(iova);
    if (pin === undefined) return;
    this.#pins.delete(iova);
    pin.pages.unpin(pin.from, pin.from + this.pageSize);
    ioas.areas.accesses.delete(pin.row);
  }

  #copy(iova: number, buffer: Uint8Array, needed: DmaAccess): number {
    const ioas = this.#ioas;
    if (ioas === undefined) return -ENOENT;
    let done = 0;
    while (done < buffer.length) {
      const at = iova + done;
      const row = ioas.areas.find(at);
      if (row === 0) return -ENOENT;
      if (!(ioas.areas.flags(row) & needed)) return -EPERM;
      const pages = ioas.areas.object(row);
      const from = ioas.areas.target(row) + at - ioas.areas.start(row);
      const size = Math.min(ioas.areas.end(row) - at, buffer.length - done);
      const memory = pages.resolve(from, from + size);
      if (typeof memory === 'number') return memory;
      copy(memory, pages.address + from, buffer.subarray(done, done + size), needed === DMA_WRITE);
      done += size;
    }
    return 0;
  }
}

/** Copies between a buffer and mappings that hold all of it. */
function copy(
  mappings: readonly UserMapping[],
  address: number,
  buffer: Uint8Array,
  write: boolean,
): void {
  for (const { address: start, size, bytes } of mappings) {
    const from = Math.max(start, address);
    const to = Math.min(start + size, address + buffer.length);
    if (from >= to || bytes === undefined) continue;
    const inside = bytes.subarray(from - start, to - start);
    const part = buffer.subarray(from - address, to - address);
    if (write) inside.set(part);
    else part.set(inside);
  }
}
