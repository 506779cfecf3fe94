import type { ConfigAccess, ConfigSpace } from '@vfiokit/pci';

/**
 * Configuration accesses to a function that was not probed: which bits of its registers follow writes is learned from
 * the record, bit by bit, each once. From then on they are predicted.
 */
export class LearnedMasks implements ConfigAccess {
  readonly size: number;
  /** Bits taken from the record so far. */
  learned = 0;
  /** What the operation that is being played wrote last, by offset. */
  readonly #written = new Map<number, number>();
  readonly #known: Uint8Array;

  constructor(private readonly config: ConfigSpace) {
    this.size = config.size;
    this.#known = new Uint8Array(config.size);
  }

  read(offset: number, size: number): number {
    return this.config.read(offset, size);
  }

  write(offset: number, size: number, value: number): number {
    for (let i = 0; i < size; i += 1) this.#written.set(offset + i, (value >>> (8 * i)) & 0xff);
    return this.config.write(offset, size, value);
  }

  /** A new operation begins. */
  begin(): void {
    this.#written.clear();
  }

  /**
   * Learns from a byte that is not what the masks made of it.
   *
   * @returns whether that explains the byte, for the first time.
   */
  learn(offset: number, recorded: number, model: number): boolean {
    const written = this.#written.get(offset);
    if (written === undefined) return false;
    const wrong = recorded ^ model;
    // A bit that took the written value follows writes; one that did not is read-only.
    const follows = wrong & ~(recorded ^ written);
    const stays = wrong & (recorded ^ written);
    if ((wrong & this.#known[offset]!) !== 0) return false;
    const { writeMask } = this.config;
    writeMask[offset] = (writeMask[offset]! | follows) & ~stays;
    this.#known[offset]! |= wrong;
    this.learned += 1;
    return true;
  }
}
