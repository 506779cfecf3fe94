import type { VhcaBuffer } from './vhca.js';

/** Bytes that wait to be read. */
export interface Queued {
  readonly bytes: Uint8Array;
  /** The buffer that they lie in; none for headers. */
  readonly buffer: VhcaBuffer | undefined;
  /** One of the two of chunk mode, which a postponed SAVE waits for. */
  readonly isChunk: boolean;
}

/** What a saving file has to give, in the order in which it was saved (drivers/vfio/pci/mlx5/cmd.h: the buf_list of a migration file). */
export class ReadQueue {
  readonly #entries: Queued[] = [];
  /** Bytes of the first entry that were read. */
  #done = 0;
  #queued = 0;
  #position = 0;

  /** @param consumed called with each entry that was read to its end. */
  constructor(private readonly consumed: (entry: Queued) => void) {}

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** Bytes that were read since the beginning: the file's position. */
  get position(): number {
    return this.#position;
  }

  /** Bytes that wait. */
  get left(): number {
    return this.#queued - this.#position;
  }

  put(entry: Queued): void {
    this.#entries.push(entry);
    this.#queued += entry.bytes.length;
  }

  /** Fills as much as there is; the number of bytes. What is consumed meanwhile may bring more. */
  read(into: Uint8Array): number {
    let count = 0;
    while (count < into.length && this.#entries.length > 0) {
      const { bytes } = this.#entries[0]!;
      const piece = bytes.subarray(this.#done, this.#done + into.length - count);
      into.set(piece, count);
      count += piece.length;
      this.#done += piece.length;
      if (this.#done === bytes.length) this.#next();
    }
    this.#position += count;
    return count;
  }

  /** Nothing of it is wanted any more. */
  clear(): void {
    this.#entries.length = 0;
  }

  #next(): void {
    this.#done = 0;
    this.consumed(this.#entries.shift()!);
  }
}
