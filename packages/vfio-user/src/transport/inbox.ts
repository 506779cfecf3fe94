import { HEADER_MESSAGE_SIZE, HEADER_SIZE } from '../protocol/header.js';

const NO_FDS: number[] = [];

interface Arrival {
  /** The stream position of the last byte that came with them. */
  readonly position: number;
  readonly fds: readonly number[];
}

/**
 * Received bytes, cut into messages however they came: a read may bring a part of a header or many messages.
 *
 * Descriptors belong to the message that holds the last byte of the read that brought them. They travel with the first
 * byte of a message, and a read ends behind the segment that had some; so earlier messages of the same read had none.
 */
export class Inbox {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  #head = 0;
  #tail = 0;
  /** Stream position of the byte at 0. */
  #origin = 0;
  #arrivals: Arrival[] = [];
  #held = 0;

  /**
   * @param largest bytes of the largest message.
   * @param readAhead bytes that may be received beyond it.
   */
  constructor(
    readonly largest: number,
    readAhead = 1 << 16,
  ) {
    this.bytes = new Uint8Array(new ArrayBuffer(largest + readAhead));
    this.view = new DataView(this.bytes.buffer);
  }

  /** Where received bytes go. */
  get tail(): number {
    return this.#tail;
  }

  /** How many bytes may be received now. */
  get room(): number {
    return this.bytes.length - this.#tail;
  }

  /** How many descriptors have come that were not handed out. */
  get held(): number {
    return this.#held;
  }

  /** Notes bytes that were put at {@link tail}. */
  received(length: number, fds: readonly number[]): void {
    this.#tail += length;
    if (fds.length === 0) return;
    this.#arrivals.push({ position: this.#origin + this.#tail - 1, fds });
    this.#held += fds.length;
  }

  /**
   * Where the next message starts, if all of it is there, or -1. A message whose size can't be is there as soon as its
   * header is, so that somebody looks at it.
   */
  next(): number {
    const have = this.#tail - this.#head;
    if (have >= HEADER_SIZE) {
      const size = this.view.getUint32(this.#head + HEADER_MESSAGE_SIZE, true);
      if (have >= size || size > this.largest) return this.#head;
    }
    if (this.#head > 0) this.#compact();
    return -1;
  }

  /** Steps behind a message. */
  consume(size: number): void {
    this.#head += size;
    if (this.#head !== this.#tail) return;
    this.#origin += this.#tail;
    this.#head = 0;
    this.#tail = 0;
  }

  /** Hands out the descriptors of the message of this size at the head, which are the caller's then. */
  takeFds(size: number): number[] {
    if (this.#arrivals.length === 0) return NO_FDS;
    const end = this.#origin + this.#head + size;
    const fds: number[] = [];
    while (this.#arrivals.length > 0 && this.#arrivals[0]!.position < end)
      fds.push(...this.#arrivals.shift()!.fds);
    this.#held -= fds.length;
    return fds;
  }

  /** Drops everything; what it returns is to be closed. */
  clear(): readonly number[] {
    const fds = this.#arrivals.flatMap((arrival) => [...arrival.fds]);
    this.#arrivals = [];
    this.#held = 0;
    this.#head = 0;
    this.#tail = 0;
    return fds;
  }

  #compact(): void {
    this.bytes.copyWithin(0, this.#head, this.#tail);
    this.#origin += this.#head;
    this.#tail -= this.#head;
    this.#head = 0;
  }
}
