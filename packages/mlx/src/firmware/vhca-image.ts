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

/** From so many words on only one in {@link STRIDE} counts: sums over gibibytes would be all that a transfer is. */
const SAMPLED_FROM = 1 << 14;
const STRIDE = 16;

/** A sum over words, which any single change of a small piece alters. */
function checksum(bytes: Uint8Array, seed: number): number {
  let sum = seed | 0;
  const aligned = bytes.byteOffset % 4 === 0;
  const words = aligned ? bytes.length >>> 2 : 0;
  const stride = words >= SAMPLED_FROM ? STRIDE : 1;
  // Signed words stay small integers for the engine, which is several times as fast.
  const view = new Int32Array(bytes.buffer, aligned ? bytes.byteOffset : 0, words);
  for (let i = 0; i < words; i += stride) sum = (sum + view[i]!) | 0;
  for (let at = words * 4; at < bytes.length; at += 1)
    sum = (sum + (bytes[at]! << (8 * (at & 3)))) | 0;
  return sum >>> 0;
}
