import { EINVAL } from '@vfiokit/uapi';

/** Pages to a chunk of the log. */
const CHUNK_PAGES = 1 << 15;

/** Which pages of the client's memory the device has written, while somebody wants to know. */
export class DirtyLog {
  /** Bytes of a page; 0 while nothing is logged. */
  #pageSize = 0;
  /** Bits by chunk number; a chunk is there once one of its pages was written. */
  readonly #chunks = new Map<number, Uint8Array>();

  get active(): boolean {
    return this.#pageSize !== 0;
  }

  /** Starts logging in pages of this size; 0, or `-EINVAL` for no power of two or another size than is logged already. */
  start(pageSize: bigint): number {
    const size = Number(pageSize);
    if (!isPowerOfTwo(size)) return -EINVAL;
    if (this.active) return size === this.#pageSize ? 0 : -EINVAL;
    this.#pageSize = size;
    return 0;
  }

  stop(): void {
    this.#pageSize = 0;
    this.#chunks.clear();
  }

  /** The device wrote here. */
  wrote(address: number, length: number): void {
    if (this.#pageSize === 0 || length === 0) return;
    const last = Math.floor((address + length - 1) / this.#pageSize);
    for (let page = Math.floor(address / this.#pageSize); page <= last; page += 1) {
      const chunk = Math.floor(page / CHUNK_PAGES);
      let bits = this.#chunks.get(chunk);
      if (bits === undefined) {
        bits = new Uint8Array(CHUNK_PAGES / 8);
        this.#chunks.set(chunk, bits);
      }
      bits[(page % CHUNK_PAGES) >>> 3]! |= 1 << (page & 7);
    }
  }

  /**
   * Fills a bitmap, one bit for each page of `pageSize` from `address` on, and forgets what it reports. The size may be
   * another than is logged: a bit stands for all pages that it touches.
   *
   * @param bits as many bytes as `bitmapBytes` says.
   */
  report(address: number, length: number, pageSize: number, bits: Uint8Array): void {
    const own = this.#pageSize;
    const first = Math.floor(address / own);
    const last = Math.ceil((address + length) / own) - 1;
    // A client may ask for its whole address space, of which only so much was written.
    for (const [chunk, dirty] of this.#chunks) {
      const start = Math.max(first, chunk * CHUNK_PAGES);
      const end = Math.min((chunk + 1) * CHUNK_PAGES, last + 1);
      for (let page = start; page < end; page += 1) {
        const bit = 1 << (page & 7);
        const byte = (page % CHUNK_PAGES) >>> 3;
        if ((dirty[byte]! & bit) === 0) continue;
        dirty[byte]! &= ~bit;
        mark(bits, page * own - address, own, pageSize, length);
      }
    }
  }
}

/** Sets the bits of the pages that `[offset, offset + size)` touches. */
function mark(
  bits: Uint8Array,
  offset: number,
  size: number,
  pageSize: number,
  length: number,
): void {
  const first = Math.floor(Math.max(offset, 0) / pageSize);
  const last = Math.floor((Math.min(offset + size, length) - 1) / pageSize);
  for (let page = first; page <= last; page += 1) bits[page >>> 3]! |= 1 << (page & 7);
}

export function isPowerOfTwo(value: number): boolean {
  return value >= 1 && Number.isInteger(Math.log2(value));
}

/** Bytes of a bitmap, in whole 64-bit words. */
export function bitmapBytes(length: number, pageSize: number): number {
  return Math.ceil(Math.ceil(length / pageSize) / 64) * 8;
}
