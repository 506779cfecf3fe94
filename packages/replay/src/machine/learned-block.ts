import type { RegisterBlock } from '@vfiokit/pci';

const PAGE_SHIFT = 12;
const PAGE_SIZE = 1 << PAGE_SHIFT;

/** What is known of a byte behind a BAR. */
const UNKNOWN = 0;
/** It was read or written once; what it holds is predicted from then on. */
const KNOWN = 1;
/** It did not hold what was known: a register that lives. Its contents are taken from the record. */
const ALIVE = 2;

interface Page {
  readonly bytes: Uint8Array;
  readonly state: Uint8Array;
}

type Width = 1 | 2 | 4 | 8;

/** What one operation has recorded of the bytes that it reads. */
export interface RecordedBytes {
  /** Where they start behind the BAR. */
  readonly offset: number;
  /** Hex; `..` for a byte that was not recorded. */
  readonly hex: string;
}

/**
 * The device's side of a BAR, learned from the record as it is played: each byte is taken from it once, then predicted.
 *
 * So a wrong offset, width or value in the model shows, although nobody described the device. Learned are also the
 * access widths that the device does not implement: what it answers to them instead is one byte, repeated.
 */
export class LearnedBlock implements RegisterBlock {
  readonly #pages = new Map<number, Page>();
  /** By width: the byte that the device answers instead, `'held'` where it answers, `undefined` while nothing showed. */
  readonly #answers: (number | 'held' | undefined)[] = [];
  #recorded: RecordedBytes | undefined;
  /** Facts taken from the record so far. */
  learned = 0;

  /** What the operation that follows will read, or nothing. */
  expect(recorded: RecordedBytes | undefined): void {
    this.#recorded = recorded;
  }

  /** Whether a byte was found not to hold what was known of it. */
  lives(offset: number): boolean {
    return this.#page(offset).state[offset % PAGE_SIZE] === ALIVE;
  }

  read(offset: number, size: 1 | 2 | 4): number {
    return Number(this.#read(offset, size));
  }

  read64(offset: number): bigint {
    return this.#read(offset, 8);
  }

  write(offset: number, size: 1 | 2 | 4, value: number): void {
    this.#write(offset, size, BigInt(value));
  }

  write64(offset: number, value: bigint): void {
    this.#write(offset, 8, value);
  }

  #read(offset: number, width: Width): bigint {
    const recorded = this.#recordedBytes(offset, width);
    if (recorded !== undefined && this.#answers[width] === undefined)
      this.#learnWidth(offset, width, recorded);
    const answer = this.#answers[width];
    let value = 0n;
    for (let i = width - 1; i >= 0; i -= 1) {
      const byte =
        typeof answer === 'number'
          ? answer
          : this.#byte(offset + i, recorded?.[i], answer === 'held');
      value = (value << 8n) | BigInt(byte);
    }
    return value;
  }

  /** Sees whether the device answers a width at all: one repeated byte in place of what is known says that it does not. */
  #learnWidth(offset: number, width: Width, recorded: readonly number[]): void {
    const fill = recorded[0]!;
    const uniform = (fill === 0x00 || fill === 0xff) && recorded.every((byte) => byte === fill);
    if (!uniform) {
      this.#answers[width] = 'held';
      return;
    }
    const contradicted = recorded.some((_, i) => {
      const page = this.#page(offset + i);
      const at = (offset + i) % PAGE_SIZE;
      return page.state[at] === KNOWN && page.bytes[at] !== fill;
    });
    if (!contradicted) return;
    this.#answers[width] = fill;
    this.learned += 1;
  }

  /** One byte: what is known of it, or what the record says. */
  #byte(offset: number, recorded: number | undefined, widthAnswers: boolean): number {
    const page = this.#page(offset);
    const at = offset % PAGE_SIZE;
    if (page.state[at] === KNOWN) {
      const held = page.bytes[at]!;
      if (recorded !== undefined && recorded !== held) page.state[at] = ALIVE;
      return held;
    }
    if (recorded === undefined) return page.bytes[at]!;
    // Zero and all-ones tell nothing while they may come from a width that the device does not implement.
    if (page.state[at] === UNKNOWN && (widthAnswers || (recorded !== 0x00 && recorded !== 0xff))) {
      page.state[at] = KNOWN;
      page.bytes[at] = recorded;
      this.learned += 1;
    }
    return recorded;
  }

  #write(offset: number, width: Width, value: bigint): void {
    for (let i = 0; i < width; i += 1) {
      const page = this.#page(offset + i);
      const at = (offset + i) % PAGE_SIZE;
      page.bytes[at] = Number((value >> BigInt(8 * i)) & 0xffn);
      if (page.state[at] === UNKNOWN) page.state[at] = KNOWN;
    }
  }

  #recordedBytes(offset: number, width: Width): readonly number[] | undefined {
    if (this.#recorded === undefined) return undefined;
    const from = 2 * (offset - this.#recorded.offset);
    const text = this.#recorded.hex.slice(from, from + 2 * width);
    if (from < 0 || text.length < 2 * width || text.includes('.')) return undefined;
    return [...Buffer.from(text, 'hex')];
  }

  #page(offset: number): Page {
    const number = Math.floor(offset / PAGE_SIZE);
    let page = this.#pages.get(number);
    if (page === undefined) {
      page = { bytes: new Uint8Array(PAGE_SIZE), state: new Uint8Array(PAGE_SIZE) };
      this.#pages.set(number, page);
    }
    return page;
  }
}
