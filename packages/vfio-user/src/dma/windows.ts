import { RangeTree } from '@vfiokit/iommu';
import { EEXIST, EINVAL, ENOSPC } from '@vfiokit/uapi';
import type { ClientFile } from '../transport/descriptors.js';

/** The device may read, the device may write: the flags of a DMA_MAP. */
export const READABLE = 0x1;
export const WRITEABLE = 0x2;

/** The largest window, 8 TiB. */
const LARGEST = 2 ** 43;
const SPACE = 2 ** 64;
/** Addresses from 2^53 on are exact as numbers in these units only. */
const EXACT = 2 ** 53;
const COARSE = 2 ** 11;

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
  check(start: number, size: number): number {
    const end = start + size;
    if (start < 0 || size <= 0 || end > SPACE) return -EINVAL;
    if (end > EXACT && (start % COARSE !== 0 || size % COARSE !== 0)) return -EINVAL;
    if (size > LARGEST) return -ENOSPC;
    if (this.#tree.firstWithin(start, end) !== 0) return -EEXIST;
    return this.#tree.size >= this.most ? -EINVAL : 0;
  }

  /**
   * Adds a window that {@link check} found no fault with.
   *
   * @param offset where it starts in the file.
   */
  add(
    start: number,
    size: number,
    flags: number,
    offset: number,
    file: ClientFile | undefined,
  ): void {
    this.#tree.insert(start, start + size, offset, flags, file);
  }

  /** Whether a range cuts a window in two. */
  splits(start: number, end: number): boolean {
    return this.#tree.bisects(start) || this.#tree.bisects(end);
  }

  /** Takes away every window in a range that {@link splits} none. */
  remove(start: number, end: number): void {
    const tree = this.#tree;
    for (let row = tree.firstWithin(start, end); row !== 0; row = tree.firstWithin(start, end)) {
      tree.object(row)?.release();
      tree.remove(row);
    }
  }

  /** Whether a window is this very range. */
  has(start: number, end: number): boolean {
    const row = this.#tree.find(start);
    return row !== 0 && this.#tree.start(row) === start && this.#tree.end(row) === end;
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
