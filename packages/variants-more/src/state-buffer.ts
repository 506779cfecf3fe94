import type { MigrationStream } from '@vfiokit/core';
import { EINVAL, ENODEV } from '@vfiokit/uapi';

/** A device's state as one buffer on its way out. */
export class BufferSaver implements MigrationStream {
  #read = 0;
  #ended = false;
  /** Reads of a running device that find nothing answer 0, against the interface's rule: so do the drivers that use it. */
  readonly quietEnd = true;

  /** @param length bytes that can be read by now. */
  constructor(
    readonly bytes: Uint8Array,
    public length: number,
  ) {}

  /** Bytes that are left up to a position; negative past it. */
  left(end: number): number {
    return end - this.#read;
  }

  read(into: Uint8Array): number {
    if (this.#ended) return -ENODEV;
    if (this.#read > this.length) return -EINVAL;
    const piece = this.bytes.subarray(this.#read, Math.min(this.length, this.#read + into.length));
    into.set(piece);
    this.#read += piece.length;
    return piece.length;
  }

  end(): void {
    this.#ended = true;
  }
}

/** A device's state on its way into one buffer. */
export class BufferLoader implements MigrationStream {
  /** Bytes that arrived. */
  length = 0;
  #ended = false;

  /**
   * @param tooLong what a write gets that ends past the buffer.
   * @param arrived called with what is there by now; a negated errno fails the write.
   */
  constructor(
    readonly bytes: Uint8Array,
    private readonly tooLong: (room: number) => number,
    private readonly arrived: (length: number) => number = () => 0,
  ) {}

  write(from: Uint8Array): number {
    if (this.#ended) return -ENODEV;
    const room = this.bytes.length - this.length;
    const count = from.length > room ? this.tooLong(room) : from.length;
    if (count < 0) return count;
    this.bytes.set(from.subarray(0, count), this.length);
    this.length += count;
    const error = this.arrived(this.length);
    return error < 0 ? error : count;
  }

  end(): void {
    this.#ended = true;
  }
}
