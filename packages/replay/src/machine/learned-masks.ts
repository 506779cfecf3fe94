import type { ConfigAccess, ConfigSpace } from '@vfiokit/pci';

/**
 * Configuration accesses to a function that was not probed: which bits of its registers follow writes is learned from
 * the record, bit by bit, each once. From then on they are predicted.
 */
export class LearnedMasks implements ConfigAccess {
  readonly size: number;
  /** Bits taken from the record so far. */
  learned = 0;
  /** What the operation that is being played wrote, by offset: bits that were ones and bits that were zeroes once. */
  readonly #written = new Map<number, { ones: number; zeroes: number }>();
  readonly #known: Uint8Array;

  constructor(private readonly config: ConfigSpace) {
    this.size = config.size;
    this.#known = new Uint8Array(config.size);
  }

  read(offset: number, size: number): number {
    return this.config.read(offset, size);
  }

  write(offset: number, size: number, value: number): number {
    for (let i = 0; i < size; i += 1) {
      const byte = (value >>> (8 * i)) & 0xff;
      const written = this.#written.get(offset + i);
      if (written === undefined)
        this.#written.set(offset + i, { ones: byte, zeroes: ~byte & 0xff });
      else {
        written.ones |= byte;
        written.zeroes |= ~byte & 0xff;
      }
    }
    return this.config.write(offset, size, value);
  }

  /** A new operation begins. */
  begin(): void {
    this.#written.clear();
  }

  /**
   * Learns from a byte that is not what the masks made of it.
   *
   * @param before what it held before the operation.
   * @returns whether that explains the byte, for the first time.
   */
  learn(offset: number, before: number, recorded: number, model: number): boolean {
    const written = this.#written.get(offset);
    const wrong = recorded ^ model;
    if (written === undefined || (wrong & this.#known[offset]!) !== 0) return false;
    const { writeMask } = this.config;
    const mask = writeMask[offset]!;
    // A bit that was taken for read-only and has a value that was written follows writes.
    const follows = wrong & ~mask & ((recorded & written.ones) | (~recorded & written.zeroes));
    // One that was taken for writable and is as before does not.
    const stays = wrong & mask & ~(recorded ^ before);
    if ((follows | stays) !== wrong) return false;
    writeMask[offset] = mask ^ wrong;
    this.#known[offset]! |= wrong;
    this.learned += 1;
    return true;
  }
}
