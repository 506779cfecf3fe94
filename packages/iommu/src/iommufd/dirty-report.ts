import { EFAULT, EINVAL, type Process } from '@vfiokit/uapi';
import { DirtyBitmap } from '../memory/dirty-bitmap.js';
import type { HwptPaging } from './hwpt.js';

/** Bytes of a bitmap that are looked at together. */
const PIECE = 1 << 12;

/** Which dirty bits are wanted, checked. */
export interface DirtyRequest {
  readonly start: number;
  readonly end: number;
  /** Bytes that a bit of the user's bitmap stands for. */
  readonly page: number;
  /** The user's address of the bitmap. */
  readonly data: number;
  /** Forget about what was reported. */
  readonly clear: boolean;
  /** Holes, and reading while nothing is tracked, are errors. */
  readonly strict: boolean;
}

/**
 * Ors what devices have written into a user's bitmap: bit 0 stands for the first page of the range, and nothing is
 * cleared in it. Only where something was written is it touched at all (iova_bitmap.c).
 *
 * @returns 0, `-EFAULT`, or `-EINVAL` if it is strict.
 */
export function reportDirty(hwpt: HwptPaging, request: DirtyRequest, caller: Process): number {
  const { start, end, page, clear, strict } = request;
  const { areas } = hwpt.ioas;
  if (strict && (!hwpt.tracking || typeof hwpt.ioas.areas.pieces(start, end) === 'number'))
    return -EINVAL;
  if (!hwpt.tracking) return 0;
  const span = PIECE * 8 * page;
  for (let from = start; from < end; from += span) {
    const to = Math.min(from + span, end);
    const row = areas.firstWithin(from, to);
    if (row === 0 || !hwpt.written.any(from, to)) continue;
    const bits = bitsOf(hwpt.written, from, to, page);
    const address = request.data + (from - start) / page / 8;
    const before = caller.memory.read(address, bits.length);
    if (before === undefined) return -EFAULT;
    for (let index = 0; index < bits.length; index += 1) bits[index]! |= before[index]!;
    if (!caller.memory.write(address, bits)) return -EFAULT;
    if (clear) hwpt.written.clear(from, to);
  }
  return 0;
}

/** The bits of a range, of which one may stand for several pages of the IOMMU or several for one. */
function bitsOf(written: DirtyBitmap, from: number, to: number, page: number): Uint8Array {
  const bits = new Uint8Array(Math.ceil((to - from) / page / 8));
  if (page === written.pageSize) {
    written.copyTo(from, to, bits);
    return bits;
  }
  const coarse = new DirtyBitmap(page);
  for (let at = from; at < to; at += Math.min(page, written.pageSize))
    if (written.has(at)) coarse.set(at, at + 1);
  coarse.copyTo(from, to, bits);
  return bits;
}
