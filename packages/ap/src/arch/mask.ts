/** How many adapters, usage domains or control domains a mask tells apart. */
export const AP_MASK_BITS = 256;

const WORDS = AP_MASK_BITS / 32;

/**
 * A set of adapters, usage domains or control domains: 256 bits of which bit 0 is the leftmost, as in the APM, AQM and
 * ADM of the architecture and in `/sys/bus/ap/apmask`.
 *
 * It never changes; operations give a new one. Kept as eight words, so that the set operations on which every check of
 * ownership and sharing rests are eight machine instructions each.
 */
export class ApMask implements Iterable<number> {
  /** No bit set. */
  static readonly NONE: ApMask = new this(new Uint32Array(WORDS));
  /** Every bit set. */
  static readonly ALL: ApMask = new this(new Uint32Array(WORDS).fill(0xffff_ffff));

  readonly #words: Uint32Array;
  #ids: readonly number[] | undefined;

  private constructor(words: Uint32Array) {
    this.#words = words;
  }

  /** The set of these ids; throws RangeError for one that is not in 0..255. */
  static of(...ids: readonly number[]): ApMask {
    return ApMask.from(ids);
  }

  /** The set of these ids; throws RangeError for one that is not in 0..255. */
  static from(ids: Iterable<number>): ApMask {
    const words = new Uint32Array(WORDS);
    for (const id of ids) {
      if (!Number.isInteger(id) || id < 0 || id >= AP_MASK_BITS)
        throw new RangeError(`AP mask: ${id} is not in 0..${AP_MASK_BITS - 1}`);
      words[id >>> 5]! |= 0x8000_0000 >>> (id & 31);
    }
    return new ApMask(words);
  }

  /** All ids from `first` to `last`, both included. */
  static range(first: number, last: number): ApMask {
    return ApMask.from(Array.from({ length: last - first + 1 }, (_, n) => first + n));
  }

  /** A mask as it lies in storage: 32 bytes, bit 0 the most significant one of the first. Missing bytes are zero. */
  static fromBytes(bytes: Uint8Array): ApMask {
    const words = new Uint32Array(WORDS);
    const length = Math.min(bytes.length, AP_MASK_BITS / 8);
    for (let n = 0; n < length; n++) words[n >>> 2]! |= bytes[n]! << (24 - (n & 3) * 8);
    return new ApMask(words);
  }

  /** Hex digits without a prefix, left-aligned: digit 0 holds bits 0 to 3. Missing digits are zero. */
  static fromHex(digits: string): ApMask {
    const words = new Uint32Array(WORDS);
    for (let n = 0; n < WORDS; n++) {
      const word = digits.slice(n * 8, n * 8 + 8);
      if (word === '') break;
      words[n] = Number.parseInt(word.padEnd(8, '0'), 16);
    }
    return new ApMask(words);
  }

  has(id: number): boolean {
    return (this.#words[id >>> 5]! & (0x8000_0000 >>> (id & 31))) !== 0;
  }

  with(id: number): ApMask {
    return this.or(ApMask.of(id));
  }

  without(id: number): ApMask {
    return this.andNot(ApMask.of(id));
  }

  and(other: ApMask): ApMask {
    return this.#map((word, n) => word & other.#words[n]!);
  }

  or(other: ApMask): ApMask {
    return this.#map((word, n) => word | other.#words[n]!);
  }

  /** What is in this one but not in the other. */
  andNot(other: ApMask): ApMask {
    return this.#map((word, n) => word & ~other.#words[n]!);
  }

  /** Whether the two have a bit in common. */
  intersects(other: ApMask): boolean {
    for (let n = 0; n < WORDS; n++) if (this.#words[n]! & other.#words[n]!) return true;
    return false;
  }

  /** Whether every bit of the other is set here. */
  covers(other: ApMask): boolean {
    for (let n = 0; n < WORDS; n++) if (~this.#words[n]! & other.#words[n]!) return false;
    return true;
  }

  equals(other: ApMask): boolean {
    for (let n = 0; n < WORDS; n++) if (this.#words[n] !== other.#words[n]) return false;
    return true;
  }

  get isEmpty(): boolean {
    for (let n = 0; n < WORDS; n++) if (this.#words[n] !== 0) return false;
    return true;
  }

  /** The ids in the set, ascending. Worked out once. */
  get ids(): readonly number[] {
    if (this.#ids === undefined) {
      const ids: number[] = [];
      for (let n = 0; n < WORDS; n++) {
        for (let rest = this.#words[n]!; rest !== 0; ) {
          const bit = Math.clz32(rest);
          ids.push(n * 32 + bit);
          rest = (rest & ~(0x8000_0000 >>> bit)) >>> 0;
        }
      }
      this.#ids = ids;
    }
    return this.#ids;
  }

  get size(): number {
    return this.ids.length;
  }

  [Symbol.iterator](): Iterator<number> {
    return this.ids[Symbol.iterator]();
  }

  /** The 32 bytes of the mask in storage. */
  toBytes(): Uint8Array {
    const bytes = new Uint8Array(AP_MASK_BITS / 8);
    const view = new DataView(bytes.buffer);
    for (let n = 0; n < WORDS; n++) view.setUint32(n * 4, this.#words[n]!);
    return bytes;
  }

  /** `0x` and 64 lower-case hex digits: how sysfs shows every mask. */
  toString(): string {
    let text = '0x';
    for (let n = 0; n < WORDS; n++) text += this.#words[n]!.toString(16).padStart(8, '0');
    return text;
  }

  #map(operation: (word: number, n: number) => number): ApMask {
    const words = new Uint32Array(WORDS);
    for (let n = 0; n < WORDS; n++) words[n] = operation(this.#words[n]!, n);
    return new ApMask(words);
  }
}
