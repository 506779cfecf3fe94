import { ENODEV, ENOMEM, EOPNOTSUPP } from '@vfiokit/uapi';

/** Bytes in front of every record: its size (u64), its flags (u32) and its tag (u32), little-endian. */
export const RECORD_HEADER_SIZE = 16;
/** A reader that does not know the tag may skip the record. */
export const RECORD_OPTIONAL = 1;
/** Records have to be shorter than this. */
const RECORD_LIMIT = 2 ** 32;

/** What precedes a record of a migration stream, as several drivers frame their data. */
export interface RecordHeader {
  /** Bytes that follow the header; exact below 2^53. */
  readonly size: number;
  readonly flags: number;
  readonly tag: number;
}

/** The 16 bytes in front of a record. */
export function encodeRecordHeader({ size, flags, tag }: RecordHeader): Uint8Array {
  const bytes = new Uint8Array(RECORD_HEADER_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, size, true);
  view.setUint32(4, Math.floor(size / 2 ** 32), true);
  view.setUint32(8, flags, true);
  view.setUint32(12, tag, true);
  return bytes;
}

/** Reads what {@link encodeRecordHeader} wrote. A size above 2^53 is rounded. */
export function decodeRecordHeader(bytes: Uint8Array): RecordHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, RECORD_HEADER_SIZE);
  return {
    size: view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32,
    flags: view.getUint32(8, true),
    tag: view.getUint32(12, true),
  };
}

/** Takes the records of one tag. */
export interface RecordHandler {
  /** Where a record of this many bytes goes, at least as long; or a negated errno. */
  room(size: number): Uint8Array | number;
  /** The record is complete: 0 or a negated errno. */
  complete(record: Uint8Array): number;
}

/**
 * The receiving side of a stream of records: takes them apart however the writes are cut, and hands each to the handler
 * of its tag as soon as it is complete.
 */
export class RecordReader {
  readonly #handlers: ReadonlyMap<number, RecordHandler>;
  readonly #header = new Uint8Array(RECORD_HEADER_SIZE);
  #filled = 0;
  #record: OpenRecord | undefined;
  #dead = false;

  /** @param handlers by tag. */
  constructor(handlers: Readonly<Record<number, RecordHandler>>) {
    this.#handlers = new Map(
      Object.entries(handlers).map(([tag, handler]) => [Number(tag), handler]),
    );
  }

  /** Nothing of a record has arrived since the last one was complete. */
  get between(): boolean {
    return this.#filled === 0 && this.#record === undefined;
  }

  /**
   * Takes bytes.
   *
   * @returns how many: all of them; or the errno of whatever was wrong with them: `-ENOMEM` for a record of 4 GiB or more,
   *   `-EOPNOTSUPP` for a mandatory one of an unknown tag, what its handler said. After an error it is `-ENODEV` for good.
   */
  write(from: Uint8Array): number {
    if (this.#dead) return -ENODEV;
    for (let at = 0; at < from.length; ) {
      const taken = this.#take(from, at);
      if (taken < 0) {
        this.#dead = true;
        return taken;
      }
      at += taken;
    }
    return from.length;
  }

  #take(from: Uint8Array, at: number): number {
    if (this.#record === undefined) return this.#takeHeader(from, at);
    const { record, size } = this.#record;
    const count = Math.min(size - this.#filled, from.length - at);
    record?.set(
      at === 0 && count === from.length ? from : from.subarray(at, at + count),
      this.#filled,
    );
    this.#filled += count;
    return this.#filled < size ? count : this.#finish() || count;
  }

  #takeHeader(from: Uint8Array, at: number): number {
    const count = Math.min(RECORD_HEADER_SIZE - this.#filled, from.length - at);
    this.#header.set(from.subarray(at, at + count), this.#filled);
    this.#filled += count;
    if (this.#filled < RECORD_HEADER_SIZE) return count;
    const error = this.#begin(decodeRecordHeader(this.#header));
    return error < 0 ? error : count;
  }

  #begin({ size, flags, tag }: RecordHeader): number {
    if (size >= RECORD_LIMIT) return -ENOMEM;
    const handler = this.#handlers.get(tag);
    if (handler === undefined && (flags & RECORD_OPTIONAL) === 0) return -EOPNOTSUPP;
    const record = handler?.room(size);
    if (typeof record === 'number') return record;
    this.#record = { handler, record, size };
    this.#filled = 0;
    return size === 0 ? this.#finish() : 0;
  }

  #finish(): number {
    const { handler, record, size } = this.#record!;
    this.#record = undefined;
    this.#filled = 0;
    return handler === undefined ? 0 : handler.complete(record!.subarray(0, size));
  }
}

/** A record that is being filled; without a handler it is skipped. */
interface OpenRecord {
  readonly handler: RecordHandler | undefined;
  readonly record: Uint8Array | undefined;
  readonly size: number;
}
