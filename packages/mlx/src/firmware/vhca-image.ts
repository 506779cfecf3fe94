/**
 * What the fake firmware puts into an image: pieces of the device's state, each behind a header of magic, checksum,
 * length and offset. The real one's contents are nobody's business but its own.
 */
const MAGIC = 0x41434856;
/** Bytes in front of a piece: magic u32, checksum u32, length u64, offset u64; little-endian, padded. */
export const PIECE_HEADER = 32;

/** Where the device's state is kept. */
export interface VhcaMemory {
  /** Bytes. */
  readonly size: number;
  read(offset: number, into: Uint8Array): void;
  write(offset: number, from: Uint8Array): void;
}

/** State in plain bytes. */
export class ByteMemory implements VhcaMemory {
  constructor(readonly bytes: Uint8Array) {}

  get size(): number {
    return this.bytes.length;
  }

  read(offset: number, into: Uint8Array): void {
    into.set(this.bytes.subarray(offset, offset + into.length));
  }

  write(offset: number, from: Uint8Array): void {
    this.bytes.set(from, offset);
  }
}

/** A stretch of the state. */
export interface Stretch {
  readonly from: number;
  /** The byte after the last. */
  readonly to: number;
}

/** Bytes of an image of these stretches. */
export function imageSize(stretches: readonly Stretch[]): number {
  return stretches.reduce((sum, { from, to }) => sum + PIECE_HEADER + to - from, 0);
}

/**
 * Writes as many stretches as fit into an image, splitting the last one.
 *
 * @returns the image's length, and the stretches that are left.
 */
export function writeImage(
  memory: VhcaMemory,
  stretches: readonly Stretch[],
  into: Uint8Array,
): { readonly length: number; readonly left: readonly Stretch[] } {
  let length = 0;
  for (const [index, { from, to }] of stretches.entries()) {
    const room = into.length - length - PIECE_HEADER;
    if (room <= 0) return { length, left: stretches.slice(index) };
    const end = Math.min(to, from + room);
    writePiece(memory, { from, to: end }, into.subarray(length));
    length += PIECE_HEADER + end - from;
    if (end < to) return { length, left: [{ from: end, to }, ...stretches.slice(index + 1)] };
  }
  return { length, left: [] };
}

/** Takes an image's pieces into the state: all of them, or none if any is not what it says; whether it did. */
export function readImage(memory: VhcaMemory, image: Uint8Array): boolean {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const pieces: { readonly offset: number; readonly bytes: Uint8Array }[] = [];
  for (let at = 0; at < image.length; ) {
    if (at + PIECE_HEADER > image.length || view.getUint32(at, true) !== MAGIC) return false;
    const length = Number(view.getBigUint64(at + 8, true));
    const offset = Number(view.getBigUint64(at + 16, true));
    const start = at + PIECE_HEADER;
    if (start + length > image.length || offset + length > memory.size) return false;
    const bytes = image.subarray(start, start + length);
    if (checksum(bytes, offset) !== view.getUint32(at + 4, true)) return false;
    if (view.getBigUint64(at + 24, true) !== 0n) return false;
    pieces.push({ offset, bytes });
    at = start + length;
  }
  for (const { offset, bytes } of pieces) memory.write(offset, bytes);
  return true;
}

function writePiece(memory: VhcaMemory, { from, to }: Stretch, into: Uint8Array): void {
  const bytes = into.subarray(PIECE_HEADER, PIECE_HEADER + to - from);
  memory.read(from, bytes);
  const view = new DataView(into.buffer, into.byteOffset, PIECE_HEADER);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, checksum(bytes, from), true);
  view.setBigUint64(8, BigInt(to - from), true);
  view.setBigUint64(16, BigInt(from), true);
  view.setBigUint64(24, 0n);
}

/** Words that are taken at a time. */
const ROW = 8;

/**
 * A sum over every word, which any change of a single one alters. Rows of words are folded by exclusive or, and what was
 * there is turned by a bit before the next, so that rows do not trade places unseen. Additions would take twice as long.
 */
function checksum(bytes: Uint8Array, seed: number): number {
  if (bytes.byteOffset % 4 !== 0) return checksum(bytes.slice(), seed);
  const words = bytes.length >>> 2;
  const rows = words - (words % ROW);
  // Signed words stay small integers for the engine, which is several times as fast.
  const view = new Int32Array(bytes.buffer, bytes.byteOffset, words);
  let sum = seed | 0;
  for (let i = 0; i < rows; i += ROW)
    sum =
      turned(sum) ^
      (view[i]! ^ view[i + 1]! ^ view[i + 2]! ^ view[i + 3]!) ^
      (view[i + 4]! ^ view[i + 5]! ^ view[i + 6]! ^ view[i + 7]!);
  for (let i = rows; i < words; i += 1) sum = turned(sum) ^ view[i]!;
  for (let at = words * 4; at < bytes.length; at += 1) sum = turned(sum) ^ bytes[at]!;
  return sum >>> 0;
}

function turned(sum: number): number {
  return (sum << 1) | (sum >>> 31);
}
