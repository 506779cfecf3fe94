import { EFAULT, EINVAL, type Process, type VfioBitmap } from '@vfiokit/uapi';
import { clearBits, type DirtyBitmap, setBits } from '../memory/dirty-bitmap.js';

/** 256 MiB: bits for 2^31 pages (DIRTY_BITMAP_SIZE_MAX). */
export const DIRTY_BITMAP_SIZE_MAX = 0x1000_0000n;
/** User addresses end in the middle of the space, whatever the number of page table levels (access_ok). */
const USER_END = 1n << 63n;
const WORD_BITS = 64;
/** Bytes of a bitmap that are put together at a time. */
const PIECE = 1 << 16;

/**
 * Looks at a user's bitmap before anything is done with it.
 *
 * @param size bytes of the range that it is for.
 * @returns 0 or `-EINVAL`.
 */
export function checkBitmap(bitmap: VfioBitmap, size: bigint): number {
  if (bitmap.data + bitmap.size > USER_END) return -EINVAL;
  if (bitmap.pgsize === 0n || bitmap.size === 0n || bitmap.size > DIRTY_BITMAP_SIZE_MAX)
    return -EINVAL;
  // The kernel takes the lowest bit for the page size here, and compares it with the IOMMU's later.
  const pages = size / (bitmap.pgsize & -bitmap.pgsize);
  const bytes = ((pages + 63n) / 64n) * 8n;
  return pages === 0n || bitmap.size < bytes ? -EINVAL : 0;
}

/** A user's bitmap that mappings report into (vfio_iommu_type1.c: update_user_bitmap). */
export class BitmapRequest {
  /**
   * @param base the IOVA that bit 0 stands for.
   * @param page bytes that a bit stands for.
   * @param data the user's address.
   */
  constructor(
    private readonly process: Process,
    private readonly base: number,
    private readonly page: number,
    private readonly data: number,
  ) {}

  /**
   * Reports a mapping, in whole words of 64 bits: what precedes it in its first word stays, what follows it in its last
   * word becomes 0.
   *
   * @param dirty what was written; `undefined` for all of it.
   * @returns 0 or `-EFAULT`, with some of it written perhaps.
   */
  report(start: number, end: number, dirty: DirtyBitmap | undefined): number {
    const first = (start - this.base) / this.page;
    const shift = first % WORD_BITS;
    const address = this.data + ((first - shift) / WORD_BITS) * 8;
    const bits = shift + (end - start) / this.page;
    const bytes = Math.ceil(bits / WORD_BITS) * 8;
    for (let at = 0; at < bytes; at += PIECE) {
      const length = Math.min(PIECE, bytes - at);
      const from = Math.max(0, at * 8 - shift);
      const to = Math.min((at + length) * 8, bits) - shift;
      const lead = at === 0 ? shift : 0;
      const piece = this.#piece(
        start + from * this.page,
        start + to * this.page,
        lead,
        length,
        dirty,
      );
      if (at === 0 && !this.#keepBefore(piece, address, shift)) return -EFAULT;
      if (!this.process.memory.write(address + at, piece)) return -EFAULT;
    }
    return 0;
  }

  #piece(start: number, end: number, lead: number, length: number, dirty: DirtyBitmap | undefined) {
    const piece = new Uint8Array(length);
    if (dirty) dirty.copyTo(start, end, piece, lead);
    else setBits(piece, lead, lead + (end - start) / this.page);
    return piece;
  }

  /** Copies the bits that precede the mapping; false if they can't be read. */
  #keepBefore(piece: Uint8Array, address: number, shift: number): boolean {
    if (shift === 0) return true;
    const word = this.process.memory.read(address, 8);
    if (word === undefined) return false;
    clearBits(word, shift, WORD_BITS);
    for (const [index, byte] of word.entries()) piece[index]! |= byte;
    return true;
  }
}
