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
 * access widths that the device ignores, which read as zero where others do not.
 */
export class LearnedBlock implements RegisterBlock {
  readonly #pages = new Map<number, Page>();
  /** By width: whether the device answers it; `undefined` while nothing showed it. */
  readonly #answers: (boolean | undefined)[] = [];
  #recorded: RecordedBytes | undefined;
  /** Facts taken from the record so far. */
  learned = 0;
  /** Bytes that did not hold what was known, ever. */
  contradictions = 0;

  /** What the operation that follows will read, or nothing. */
  expect(recorded: RecordedBytes | undefined): void {
    this.#recorded = recorded;
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
    if (this.#answers[width] === false) return 0n;
    const held = this.#held(offset, width);
    if (recorded !== undefined && this.#learnsWidth(width, held, recorded)) return 0n;
    let value = 0n;
    for (let i = width - 1; i >= 0; i -= 1)
      value = (value << 8n) | BigInt(this.#byte(offset + i, recorded?.[i], width));
    return value;
  }

  /** Whether the record shows for the first time that the device ignores a width. */
  #learnsWidth(
    width: Width,
    held: readonly number[] | undefined,
    recorded: readonly number[],
  ): boolean {
    if (this.#answers[width] !== undefined) return false;
    if (recorded.some((byte) => byte !== 0)) {
      this.#answers[width] = true;
      return false;
    }
    if (held === undefined || held.every((byte) => byte === 0)) return false;
    this.#answers[width] = false;
    this.learned += 1;
    return true;
  }

  /** One byte: what is known of it, or what the record says. */
  #byte(offset: number, recorded: number | undefined, width: Width): number {
    const page = this.#page(offset);
    const at = offset % PAGE_SIZE;
    if (page.state[at] === KNOWN) {
      const held = page.bytes[at]!;
      if (recorded !== undefined && recorded !== held) {
        page.state[at] = ALIVE;
        this.contradictions += 1;
      }
      return held;
    }
    if (recorded === undefined) return page.bytes[at]!;
    // A zero tells nothing while it may come from a width that the device ignores.
    if (page.state[at] === UNKNOWN && (recorded !== 0 || this.#answers[width])) {
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

  /** What is known of a whole access; `undefined` if part of it is not. */
  #held(offset: number, width: Width): readonly number[] | undefined {
    const bytes: number[] = [];
    for (let i = 0; i < width; i += 1) {
      const page = this.#page(offset + i);
      const at = (offset + i) % PAGE_SIZE;
      if (page.state[at] !== KNOWN) return undefined;
      bytes.push(page.bytes[at]!);
    }
    return bytes;
  }

  #recordedBytes(offset: number, width: Width): readonly number[] | undefined {
    if (this.#recorded === undefined) return undefined;
    const from = 2 * (offset - this.#recorded.offset);
    const text = this.#recorded.hex.slice(from, from + 2 * width);
    if (text.length < 2 * width || text.includes('.')) return undefined;
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
