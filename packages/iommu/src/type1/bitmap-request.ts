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

/**
 * What stands behind a mapping's own bits in the kernel's bitmap of it: its last word and one more. A report that shifts
 * the bits to their place in the user's bitmap does so right there, together with the user's first word.
 */
export class StaleBits {
  readonly #byRow = new Map<number, bigint>();

  get(row: number): bigint {
    return this.#byRow.get(row) ?? 0n;
  }

  set(row: number, bits: bigint): void {
    if (bits === 0n) this.#byRow.delete(row);
    else this.#byRow.set(row, bits);
  }

  drop(row: number): void {
    this.#byRow.delete(row);
  }
}

/** What is known of written pages while they are tracked. */
export interface DirtyTracking {
  readonly written: DirtyBitmap;
  /** The kernel's leftovers; `undefined` for a kernel that has none. */
  readonly stale: StaleBits | undefined;
}

/** What of a mapping is reported. */
export interface MappingReport extends DirtyTracking {
  readonly row: number;
  readonly start: number;
  readonly end: number;
  /** All of it counts as written. */
  readonly all: boolean;
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
   * Reports a mapping, in whole words of 64 bits: what precedes it in its first word stays. What follows it in its last
   * word is 0, or what is stale there.
   *
   * @returns 0 or `-EFAULT`, with some of it written perhaps.
   */
  report(mapping: MappingReport): number {
    const first = (mapping.start - this.base) / this.page;
    const shift = first % WORD_BITS;
    const address = this.data + ((first - shift) / WORD_BITS) * 8;
    const before = shift === 0 ? new Uint8Array(8) : this.process.memory.read(address, 8);
    if (before === undefined) return -EFAULT;
    const { stale, row } = mapping;
    if (stale === undefined) clearBits(before, shift, WORD_BITS);
    const bits = shift + (mapping.end - mapping.start) / this.page;
    const bytes = Math.ceil(bits / WORD_BITS) * 8;
    const behind = stale?.get(row) ?? 0n;
    let end = 0n;
    for (let at = 0; at < bytes; at += PIECE) {
      const piece = this.#piece(mapping, at, Math.min(PIECE, bytes - at), shift, bits);
      if (at === 0)
        for (const [index, byte] of before.entries()) piece[index] = byte | piece[index]!;
      if (at + piece.length === bytes) orNumber(piece, bits - at * 8, behind);
      if (!this.process.memory.write(address + at, piece)) return -EFAULT;
      // A mapping's own bits end up to 63 bits before those that were written.
      end = lastWords(end, piece);
    }
    if (shift > 0) stale?.set(row, staleAfter(end, bytes * 8, bits - shift, behind));
    return 0;
  }

  /** The bytes from `at` on: the mapping's bits start at bit `shift` and end before bit `bits`. */
  #piece(
    { start, written, all }: MappingReport,
    at: number,
    length: number,
    shift: number,
    bits: number,
  ) {
    const piece = new Uint8Array(length);
    const from = Math.max(0, at * 8 - shift);
    const to = Math.min((at + length) * 8, bits) - shift;
    const lead = at === 0 ? shift : 0;
    if (all) setBits(piece, lead, lead + to - from);
    else written.copyTo(start + from * this.page, start + to * this.page, piece, lead);
    return piece;
  }
}

/** Ors a number into a bitmap from bit `at` on, as far as the bitmap reaches. */
function orNumber(bitmap: Uint8Array, at: number, value: bigint): void {
  for (let rest = value, bit = at; rest !== 0n && bit < bitmap.length * 8; rest >>= 1n, bit += 1)
    if (rest & 1n) bitmap[bit >>> 3] = bitmap[bit >>> 3]! | (1 << (bit & 7));
}

/** The last two words of what has been written so far, as a number. */
function lastWords(before: bigint, piece: Uint8Array): bigint {
  const view = new DataView(piece.buffer);
  const last = view.getBigUint64(piece.length - 8, true);
  const previous = piece.length > 8 ? view.getBigUint64(piece.length - 16, true) : before >> 64n;
  return (last << 64n) | previous;
}

/**
 * What is stale behind a mapping's own bits after a report.
 *
 * @param end the last two words that were written.
 * @param written bits that were written in all.
 * @param own bits of the mapping.
 * @param behind what was stale before.
 */
function staleAfter(end: bigint, written: number, own: number, behind: bigint): bigint {
  const kept = written - own;
  const moved = (end >> BigInt(128 - kept)) & ((1n << BigInt(kept)) - 1n);
  // Words that the report did not reach stay as they were.
  return moved | ((behind >> BigInt(kept)) << BigInt(kept));
}
