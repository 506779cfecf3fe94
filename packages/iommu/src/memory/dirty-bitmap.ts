/** Bits of a chunk: as many as fit into a page of the bitmap. */
const CHUNK_BITS = 32768;
const CHUNK_BYTES = CHUNK_BITS / 8;

/**
 * Which pages of an address space have been written. Memory is spent only where something was, so that tracking a
 * terabyte costs nothing until it is used.
 */
export class DirtyBitmap {
  readonly #chunks = new Map<number, Uint8Array>();

  /** @param pageSize bytes that a bit stands for; a power of two. */
  constructor(readonly pageSize: number) {}

  /** Marks every page that `[start, end)` touches. */
  set(start: number, end: number): void {
    this.#each(start, end, (number, from, to) => setBits(this.#chunk(number), from, to));
  }

  /** Forgets about every page of `[start, end)`. */
  clear(start: number, end: number): void {
    this.#each(start, end, (number, from, to) => {
      if (to - from === CHUNK_BITS) this.#chunks.delete(number);
      else {
        const chunk = this.#chunks.get(number);
        if (chunk) clearBits(chunk, from, to);
      }
    });
  }

  /** Whether the page at an address is marked. */
  has(address: number): boolean {
    const page = Math.floor(address / this.pageSize);
    const bit = page % CHUNK_BITS;
    const chunk = this.#chunks.get(Math.floor(page / CHUNK_BITS));
    return chunk !== undefined && (chunk[bit >>> 3]! & (1 << (bit & 7))) !== 0;
  }

  /** Whether any page of `[start, end)` may be marked: false only if none is. */
  any(start: number, end: number): boolean {
    let any = false;
    this.#each(start, end, (number) => {
      any ||= this.#chunks.has(number);
    });
    return any;
  }

  /** Copies the bits of `[start, end)` into bytes that are 0 so far: the page at `start` into bit `shift`. */
  copyTo(start: number, end: number, into: Uint8Array, shift = 0): void {
    const first = Math.floor(start / this.pageSize);
    this.#each(start, end, (number, from, to) => {
      const chunk = this.#chunks.get(number);
      if (chunk) copyBits(chunk, from, to, into, number * CHUNK_BITS + from - first + shift);
    });
  }

  #chunk(number: number): Uint8Array {
    let chunk = this.#chunks.get(number);
    if (chunk === undefined) {
      chunk = new Uint8Array(CHUNK_BYTES);
      this.#chunks.set(number, chunk);
    }
    return chunk;
  }

  /** Visits the chunks that a range touches: the number of each, and from which bit to which. */
  #each(start: number, end: number, visit: (number: number, from: number, to: number) => void) {
    let page = Math.floor(start / this.pageSize);
    const last = Math.ceil(end / this.pageSize);
    while (page < last) {
      const number = Math.floor(page / CHUNK_BITS);
      const from = page - number * CHUNK_BITS;
      const to = Math.min(CHUNK_BITS, from + last - page);
      visit(number, from, to);
      page += to - from;
    }
  }
}

/** Sets the bits from `from` up to before `to`. */
export function setBits(bytes: Uint8Array, from: number, to: number): void {
  eachByte(
    from,
    to,
    (byte, mask) => {
      bytes[byte] = bytes[byte]! | mask;
    },
    (first, last) => bytes.fill(0xff, first, last),
  );
}

/** Clears the bits from `from` up to before `to`. */
export function clearBits(bytes: Uint8Array, from: number, to: number): void {
  eachByte(
    from,
    to,
    (byte, mask) => {
      bytes[byte] = bytes[byte]! & ~mask;
    },
    (first, last) => bytes.fill(0, first, last),
  );
}

/** Splits a run of bits into bytes of which only some bits belong to it, and whole ones between them. */
function eachByte(
  from: number,
  to: number,
  some: (byte: number, mask: number) => void,
  whole: (first: number, last: number) => void,
): void {
  if (from >= to) return;
  const first = from >>> 3;
  const last = (to - 1) >>> 3;
  const head = 0xff << (from & 7);
  const tail = 0xff >>> (7 - ((to - 1) & 7));
  if (first === last) some(first, head & tail & 0xff);
  else {
    some(first, head & 0xff);
    whole(first + 1, last);
    some(last, tail);
  }
}

/** Copies bits `from` up to before `to` of one bitmap to bit `at` of another that is 0 there. */
function copyBits(bits: Uint8Array, from: number, to: number, into: Uint8Array, at: number): void {
  if (from % 8 !== at % 8) {
    copyShifted(bits, from, to, into, at);
    return;
  }
  const shift = Math.floor(at / 8) - (from >>> 3);
  eachByte(
    from,
    to,
    (byte, mask) => {
      into[byte + shift]! |= bits[byte]! & mask;
    },
    (first, last) => into.set(bits.subarray(first, last), first + shift),
  );
}

/** The same where bits change their place in the byte: those that are set, one by one. */
function copyShifted(
  bits: Uint8Array,
  from: number,
  to: number,
  into: Uint8Array,
  at: number,
): void {
  eachByte(
    from,
    to,
    (byte, mask) => place(byte, bits[byte]! & mask),
    (first, last) => {
      for (let byte = first; byte < last; byte += 1) if (bits[byte] !== 0) place(byte, bits[byte]!);
    },
  );

  function place(byte: number, set: number): void {
    for (let bit = 0; bit < 8; bit += 1) {
      const target = at + byte * 8 + bit - from;
      if (set & (1 << bit)) into[Math.floor(target / 8)]! |= 1 << (target % 8);
    }
  }
}
