import { allOnes } from './config-access.js';

/**
 * What lies behind a BAR, a ROM or the legacy VGA addresses.
 *
 * Offsets are relative to its start; values are unsigned. Accesses are naturally aligned, except that an ioeventfd may
 * have any offset, and the write that it makes arrives as it is. Nothing here fails: a device that does not answer reads
 * as all-ones and swallows writes.
 */
export interface RegisterBlock {
  read(offset: number, size: 1 | 2 | 4): number;
  write(offset: number, size: 1 | 2 | 4, value: number): void;
  /** Without these an 8-byte access is two of 4 bytes, the low half first. */
  read64?(offset: number): bigint;
  write64?(offset: number, value: bigint): void;
  /** The bytes themselves where all of it is plain RAM, which may then be copied or mapped directly. */
  readonly memory?: Uint8Array | undefined;
  /** The function was reset. */
  reset?(): void;
}

/** What is not modelled: nobody answers, so reads are all-ones and writes vanish. The default behind every BAR. */
export class OpenBus implements RegisterBlock {
  read(_offset: number, size: 1 | 2 | 4): number {
    return allOnes(size);
  }

  write(): void {}
}

/** From here on RAM is kept in chunks, of which only the touched ones exist. */
const SPARSE_FROM = 16 << 20;
const CHUNK_SHIFT = 16;
const CHUNK_SIZE = 1 << CHUNK_SHIFT;

/**
 * Plain RAM of a function.
 *
 * Up to 16 MiB it is one array, allocated at the first touch, and {@link memory} is that array; beyond it is sparse.
 * Outside its size it behaves as an open bus.
 */
export class MemoryBlock implements RegisterBlock {
  readonly size: number;
  #bytes: Uint8Array | undefined;
  #view: DataView | undefined;
  #chunks: Map<number, DataView> | undefined;

  /** @param contents the bytes themselves, which are used in place, or how many zeroes. */
  constructor(contents: Uint8Array | number) {
    if (typeof contents === 'number') {
      this.size = contents;
      if (contents > SPARSE_FROM) this.#chunks = new Map();
    } else {
      this.size = contents.length;
      this.#adopt(contents);
    }
  }

  get memory(): Uint8Array | undefined {
    if (this.#chunks !== undefined) return undefined;
    return this.#bytes ?? this.#adopt(new Uint8Array(this.size));
  }

  /** Keeps what it holds in other bytes from now on, as many: memory that somebody else shares. */
  moveTo(bytes: Uint8Array): void {
    const chunks = this.#chunks ?? new Map([[0, this.#whole()]]);
    for (const [number, { buffer, byteOffset, byteLength }] of chunks) {
      const length = Math.min(byteLength, bytes.length - number * CHUNK_SIZE);
      bytes.set(new Uint8Array(buffer, byteOffset, length), number * CHUNK_SIZE);
    }
    this.#chunks = undefined;
    this.#adopt(bytes);
  }

  read(offset: number, size: 1 | 2 | 4): number {
    if (offset < 0 || offset + size > this.size) return allOnes(size);
    if (this.#chunks === undefined) return load(this.#whole(), offset, size);
    const at = offset % CHUNK_SIZE;
    if (at + size > CHUNK_SIZE) return this.#readAcross(offset, size);
    const chunk = this.#chunks.get(Math.floor(offset / CHUNK_SIZE));
    return chunk === undefined ? 0 : load(chunk, at, size);
  }

  write(offset: number, size: 1 | 2 | 4, value: number): void {
    if (offset < 0 || offset + size > this.size) return;
    const at = offset % CHUNK_SIZE;
    if (this.#chunks === undefined) store(this.#whole(), offset, size, value);
    else if (at + size > CHUNK_SIZE) this.#writeAcross(offset, size, value);
    else store(this.#chunk(this.#chunks, offset), at, size, value);
  }

  /** An unaligned value of which two chunks hold a part each. */
  #readAcross(offset: number, size: number): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i -= 1) value = value * 256 + this.read(offset + i, 1);
    return value;
  }

  #writeAcross(offset: number, size: number, value: number): void {
    for (let i = 0; i < size; i += 1) this.write(offset + i, 1, value >>> (8 * i));
  }

  #whole(): DataView {
    if (this.#view === undefined) this.#adopt(new Uint8Array(this.size));
    return this.#view!;
  }

  #adopt(bytes: Uint8Array): Uint8Array {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return bytes;
  }

  #chunk(chunks: Map<number, DataView>, offset: number): DataView {
    const index = Math.floor(offset / CHUNK_SIZE);
    let chunk = chunks.get(index);
    if (chunk === undefined) {
      chunk = new DataView(new ArrayBuffer(CHUNK_SIZE));
      chunks.set(index, chunk);
    }
    return chunk;
  }
}

function load(view: DataView, at: number, size: 1 | 2 | 4): number {
  if (size === 4) return view.getUint32(at, true);
  return size === 2 ? view.getUint16(at, true) : view.getUint8(at);
}

function store(view: DataView, at: number, size: 1 | 2 | 4, value: number): void {
  if (size === 4) view.setUint32(at, value, true);
  else if (size === 2) view.setUint16(at, value, true);
  else view.setUint8(at, value);
}
