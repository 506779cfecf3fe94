import type { RegisterBlock } from '@vfiokit/pci';
import { EFAULT, EIO } from '@vfiokit/uapi';
import { alignedSize } from '../aligned-size.js';
import type { MemoryGate } from './memory-gate.js';
import { getValue, putValue, type UserBuffer } from './user-buffer.js';

/** A window of device memory or ports, and the part of it that is kept from the user. */
export interface IoWindow {
  readonly block: RegisterBlock;
  /** The widest access the bus carries. */
  readonly maxWidth: 4 | 8;
  /** Bytes from here … */
  readonly holeStart: number;
  /** … up to here read as ones, and writes to them vanish. */
  readonly holeEnd: number;
  /** Set for memory, which has to be enabled for every single access; ports are always there. */
  readonly gate: MemoryGate | undefined;
}

/** From so many bytes on plain memory is copied in one go: below, single accesses cost as little. */
const BULK = 64;

/**
 * Moves bytes between a user's buffer and a window in naturally aligned accesses (vfio_pci_rdwr.c: do_io_rw).
 *
 * The test for memory is made for every access, so a long transfer can fail half way: then the error is returned though
 * the first part has happened (quirk W15).
 *
 * @returns the buffer's length, or `-EIO` while memory is disabled, or `-EFAULT`.
 */
export function doIoRw(
  window: IoWindow,
  buffer: UserBuffer,
  offset: number,
  count: number,
  isWrite: boolean,
): number {
  const bytes = buffer instanceof Uint8Array ? buffer : undefined;
  for (let done = 0; done < count; ) {
    const at = offset + done;
    const open = fillable(window, at, count - done);
    if (open === 0) {
      const length = Math.min(count - done, window.holeEnd - at);
      if (!isWrite && bytes === undefined) return -EFAULT;
      if (!isWrite) bytes?.fill(0xff, done, done + length);
      done += length;
      continue;
    }
    // A write fetches the user's data before it asks whether memory is there, a read the other way round.
    if (isWrite && bytes === undefined) return -EFAULT;
    if (window.gate !== undefined && !window.gate.open) return -EIO;
    const moved = bytes === undefined ? 0 : move(window, bytes, done, at, open, isWrite);
    if (moved === 0) return -EFAULT;
    done += moved;
  }
  return count;
}

/** How many bytes from `at` on lie outside the hole; 0 inside it. */
function fillable({ holeStart, holeEnd }: IoWindow, at: number, count: number): number {
  if (at < holeStart) return Math.min(count, holeStart - at);
  return at >= holeEnd ? count : 0;
}

/** One access, or a copy where plain memory lies behind the window; the number of bytes moved. */
function move(
  { block, maxWidth }: IoWindow,
  bytes: Uint8Array,
  done: number,
  at: number,
  count: number,
  isWrite: boolean,
): number {
  if (block.memory !== undefined && count >= BULK) {
    if (isWrite) block.memory.set(bytes.subarray(done, done + count), at);
    else bytes.set(block.memory.subarray(at, at + count), done);
    return count;
  }
  const width = maxWidth === 8 && count >= 8 && at % 8 === 0 ? 8 : alignedSize(at, count);
  if (width === 8) moveWide(block, bytes, done, at, isWrite);
  else if (isWrite) block.write(at, width, getValue(bytes, done, width));
  else putValue(bytes, done, width, block.read(at, width));
  return width;
}

/** 8 bytes at once where the block can, else two accesses, the low half first, as ports do it. */
function moveWide(
  block: RegisterBlock,
  bytes: Uint8Array,
  done: number,
  at: number,
  isWrite: boolean,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset + done, 8);
  if (isWrite) {
    if (block.write64 !== undefined) {
      block.write64(at, view.getBigUint64(0, true));
    } else {
      block.write(at, 4, view.getUint32(0, true));
      block.write(at + 4, 4, view.getUint32(4, true));
    }
  } else if (block.read64 !== undefined) {
    view.setBigUint64(0, block.read64(at), true);
  } else {
    view.setUint32(0, block.read(at, 4), true);
    view.setUint32(4, block.read(at + 4, 4), true);
  }
}
