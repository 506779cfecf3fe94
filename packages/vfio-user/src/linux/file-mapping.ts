import type { ClientFile } from '../transport/descriptors.js';
import type { FileIdentity, System } from './system.js';

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 0x1;
const MAP_PRIVATE = 0x2;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;

/** A view holds no more than this: JavaScript's arrays end at 4 GiB in old versions. */
const CHUNK = 2 ** 30;
/** Below this a loop is faster than making a view to copy from. */
const SMALL = 32;

/** Where bytes were lent of a mapping that is gone. */
export interface LentRange {
  readonly address: number;
  readonly length: number;
}

/** What a mapping is made of. */
interface FileMappingOptions {
  readonly system: System;
  readonly fd: number;
  readonly file: Readonly<FileIdentity>;
  readonly writable: boolean;
  /** Unmaps what was lent when nobody can reach it any more. It has to outlive the mapping, or it never does. */
  readonly unreachable: FinalizationRegistry<LentRange>;
  /** The last window was released. */
  readonly gone: (mapping: FileMapping) => void;
}

/**
 * A whole file in memory, for as long as a window looks into it.
 *
 * Where bytes were lent ({@link view}), the addresses stay valid after the mapping is gone, with zeroes in place of the
 * client's memory, until nobody holds the bytes any more: a late access of a device must not crash the server.
 */
export class FileMapping implements ClientFile {
  #users = 1;
  /** By number of the chunk; made when it is first used. */
  readonly #chunks: (Uint8Array | undefined)[] = [];
  readonly #lent = new Set<number>();

  private constructor(
    private readonly o: FileMappingOptions,
    private readonly address: number,
  ) {}

  /** Maps a file; the negated errno that mmap(2) fails with otherwise. The descriptor stays the caller's. */
  static create(options: FileMappingOptions): FileMapping | number {
    const { system, fd, writable } = options;
    const { size } = options.file;
    const protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    const address = system.mmap(0, size, protection, MAP_SHARED | MAP_NORESERVE, fd, 0);
    return address < 0 ? address : new FileMapping(options, address);
  }

  /** Whether it is the mapping for a window of this file. A file that has grown is mapped anew. */
  serves(file: FileIdentity, writable: boolean): boolean {
    const own = this.o.file;
    if (own.inode !== file.inode || own.device !== file.device) return false;
    return own.size === file.size && this.o.writable === writable;
  }

  /** One window more looks into it. */
  use(): void {
    this.#users += 1;
  }

  read(offset: number, into: Uint8Array): number {
    for (let done = 0; done < into.length; ) {
      const chunk = this.#chunk(Math.floor((offset + done) / CHUNK));
      const at = (offset + done) % CHUNK;
      const length = Math.min(into.length - done, chunk.length - at);
      if (length < SMALL) for (let i = 0; i < length; i += 1) into[done + i] = chunk[at + i]!;
      else into.set(chunk.subarray(at, at + length), done);
      done += length;
    }
    return 0;
  }

  write(offset: number, from: Uint8Array): number {
    for (let done = 0; done < from.length; ) {
      const chunk = this.#chunk(Math.floor((offset + done) / CHUNK));
      const at = (offset + done) % CHUNK;
      const length = Math.min(from.length - done, chunk.length - at);
      if (length < SMALL) for (let i = 0; i < length; i += 1) chunk[at + i] = from[done + i]!;
      else chunk.set(from.subarray(done, done + length), at);
      done += length;
    }
    return 0;
  }

  view(offset: number, length: number): Uint8Array | undefined {
    const number = Math.floor(offset / CHUNK);
    const chunk = this.#chunk(number);
    const at = offset % CHUNK;
    if (at + length > chunk.length) return undefined;
    this.#lent.add(number);
    return chunk.subarray(at, at + length);
  }

  release(): void {
    this.#users -= 1;
    if (this.#users > 0) return;
    this.o.gone(this);
    if (this.#lent.size === 0) this.o.system.munmap(this.address, this.o.file.size);
    else this.#releaseLent();
  }

  /** Puts empty memory in the place of what was lent, to be unmapped when nobody can reach it any more. */
  #releaseLent(): void {
    const { system, unreachable } = this.o;
    const { size } = this.o.file;
    for (let number = 0; number * CHUNK < size; number += 1) {
      const address = this.address + number * CHUNK;
      const length = Math.min(CHUNK, size - number * CHUNK);
      const chunk = this.#chunks[number];
      if (chunk === undefined || !this.#lent.has(number)) {
        system.munmap(address, length);
        continue;
      }
      const flags = MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE;
      system.mmap(address, length, PROT_READ | PROT_WRITE, flags, -1, 0);
      unreachable.register(chunk.buffer, { address, length });
    }
  }

  #chunk(number: number): Uint8Array {
    const known = this.#chunks[number];
    if (known !== undefined) return known;
    const at = number * CHUNK;
    const chunk = this.o.system.view(this.address + at, Math.min(CHUNK, this.o.file.size - at));
    this.#chunks[number] = chunk;
    return chunk;
  }
}
