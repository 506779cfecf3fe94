import { RangeTree } from '@vfiokit/iommu';
import { EEXIST, EINVAL, ENOSPC } from '@vfiokit/uapi';
import type { ClientFile } from '../transport/descriptors.js';

/** The device may read, the device may write: the flags of a DMA_MAP. */
export const READABLE = 0x1;
export const WRITEABLE = 0x2;

/** The largest window, 8 TiB. */
const LARGEST = 2 ** 43;
const EXACT = 2n ** 53n;
/** Addresses from 2^53 on are exact as numbers in these units only. */
const COARSE = 2048n;
const SPACE = 2n ** 64n;

/** What of a window can be checked before anything is done with its descriptor. */
export interface WindowPlace {
  readonly address: bigint;
  readonly size: bigint;
}

/** The windows of a client's memory, by device address: found by search trees, so that 60,000 cost little more than ten. */
export class Windows {
  readonly #tree = new RangeTree<ClientFile | undefined>();

  /** @param most windows at once. */
  constructor(private readonly most: number) {}

  get size(): number {
    return this.#tree.size;
  }

  /**
   * Says whether a window can be there: 0; `-EINVAL` (empty, past the end of the address space, too many windows, an
   * address that is neither below 2^53 nor a multiple of 2 KiB), `-ENOSPC` (larger than 8 TiB) or `-EEXIST` (overlap).
   */
  check({ address, size }: WindowPlace): number {
    const end = address + size;
    if (size === 0n || end > SPACE) return -EINVAL;
    if (end > EXACT && (address % COARSE !== 0n || end % COARSE !== 0n)) return -EINVAL;
    if (size > BigInt(LARGEST)) return -ENOSPC;
    if (this.#tree.firstWithin(Number(address), Number(end)) !== 0) return -EEXIST;
    return this.#tree.size >= this.most ? -EINVAL : 0;
  }

  /**
   * Adds a window that {@link check} found no fault with.
   *
   * @param offset where it starts in the file.
   */
  add(place: WindowPlace, flags: number, offset: number, file: ClientFile | undefined): void {
    const start = Number(place.address);
    this.#tree.insert(start, Number(place.address + place.size), offset, flags, file);
  }

  /** Whether a range cuts a window in two. */
  splits(address: bigint, size: bigint): boolean {
    return this.#tree.bisects(Number(address)) || this.#tree.bisects(Number(address + size));
  }

  /** Takes away every window in a range that {@link splits} none. */
  remove(address: bigint, size: bigint): void {
    for (const row of this.#tree.within(Number(address), Number(address + size))) {
      this.#tree.object(row)?.release();
      this.#tree.remove(row);
    }
  }

  /** Whether a window is this very range. */
  has(address: bigint, size: bigint): boolean {
    const row = this.#tree.find(Number(address));
    return (
      row !== 0 &&
      this.#tree.start(row) === Number(address) &&
      this.#tree.end(row) === Number(address + size)
    );
  }

  clear(): void {
    for (const row of this.#tree.rows()) this.#tree.object(row)?.release();
    this.#tree.clear();
  }

  /** The window that holds an address, 0 if none does. A number that the methods below take, until windows change. */
  find(address: number): number {
    return this.#tree.find(address);
  }

  /** The first address behind a window. */
  end(window: number): number {
    return this.#tree.end(window);
  }

  flags(window: number): number {
    return this.#tree.flags(window);
  }

  /** The file behind a window; `undefined` if the client has to be asked. */
  file(window: number): ClientFile | undefined {
    return this.#tree.object(window);
  }

  /** Where an address lies in its window's file. */
  offset(window: number, address: number): number {
    return this.#tree.target(window) + (address - this.#tree.start(window));
  }
}
