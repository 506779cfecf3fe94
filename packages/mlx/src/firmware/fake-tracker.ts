import {
  completion,
  MLX5_CQE_RESP_SEND_IMM,
  PAGE_TRACK_STATE_ERROR,
  PAGE_TRACK_STATE_REPORTING,
  PAGE_TRACK_STATE_TRACKING,
  REPORT_ENTRY,
  TRACKER_STATE_SHIFT,
} from '../page-tracker/layout.js';
import type { FakeVhca } from './fake-vhca.js';

/** A completion queue: a ring of entries in the driver's memory. */
export class FakeCompletionQueue {
  #produced = 0;

  constructor(private readonly ring: Uint8Array) {}

  post(values: Parameters<typeof completion.encode>[0]): void {
    const entries = this.ring.length / completion.size;
    const turn = Math.floor(this.#produced / entries);
    const at = (this.#produced % entries) * completion.size;
    completion.encode({ ...values, owner: turn & 1 }, this.ring, at);
    this.#produced += 1;
  }
}

/** A queue pair; one that receives has a ring of equal buffers in the driver's memory. */
export class FakeQueuePair {
  remote: number | undefined;
  /** Receives that the driver has posted and nobody has used. */
  posted = 0;
  /** Messages that wait for a receive. */
  readonly waiting: { readonly bytes: Uint8Array; readonly immediate: number }[] = [];
  #used = 0;

  constructor(
    readonly number: number,
    private readonly cq: FakeCompletionQueue,
    private readonly memory: Uint8Array,
    private readonly receiveSize: number,
  ) {}

  /** Fills posted receives with messages that wait. */
  deliver(): void {
    while (this.posted > 0 && this.waiting.length > 0) {
      const { bytes, immediate } = this.waiting.shift()!;
      const slots = this.memory.length / this.receiveSize;
      this.memory.set(bytes, (this.#used % slots) * this.receiveSize);
      this.cq.post({
        opcode: MLX5_CQE_RESP_SEND_IMM,
        number: this.number,
        immediate,
        byteCount: bytes.length,
        wqeCounter: this.#used & 0xffff,
      });
      this.#used += 1;
      this.posted -= 1;
    }
  }
}

/** A range of IOVAs. */
export interface TrackedRange {
  readonly start: bigint;
  readonly length: bigint;
}

export interface FakeTrackerOptions {
  readonly vhca: FakeVhca;
  readonly ranges: readonly TrackedRange[];
  /** log2 of bytes. */
  readonly logPageSize: number;
  /** Bytes of a message. */
  readonly messageSize: number;
}

/** An object that tracks which pages a VF's DMA wrote. */
export class FakePageTracker {
  state = PAGE_TRACK_STATE_TRACKING;
  readonly #o: FakeTrackerOptions;
  readonly #dirty = new Set<bigint>();
  readonly #listener = (iova: bigint, length: number) => this.#mark(iova, length);

  constructor(options: FakeTrackerOptions) {
    this.#o = options;
    options.vhca.dmaListeners.add(this.#listener);
  }

  destroy(): void {
    this.#o.vhca.dmaListeners.delete(this.#listener);
  }

  /** The dirty pages of a range as messages, the last of which says that it is the last; they are clean then. */
  report(start: bigint, length: bigint): { bytes: Uint8Array; immediate: number }[] {
    if (this.state === PAGE_TRACK_STATE_ERROR)
      return [message(new Uint8Array(0), PAGE_TRACK_STATE_ERROR)];
    const pages = this.#takePages(start, start + length);
    const perMessage = this.#o.messageSize / REPORT_ENTRY;
    const messages: { bytes: Uint8Array; immediate: number }[] = [];
    do {
      const bytes = encodeEntries(pages.splice(0, perMessage));
      const last = pages.length === 0;
      messages.push(message(bytes, last ? PAGE_TRACK_STATE_TRACKING : PAGE_TRACK_STATE_REPORTING));
    } while (pages.length > 0);
    return messages;
  }

  #takePages(from: bigint, to: bigint): bigint[] {
    const shift = BigInt(this.#o.logPageSize);
    const pages: bigint[] = [];
    for (const page of this.#dirty) {
      const address = page << shift;
      if (address >= from && address < to) {
        pages.push(address);
        this.#dirty.delete(page);
      }
    }
    return pages.sort((a, b) => (a < b ? -1 : 1));
  }

  #mark(iova: bigint, length: number): void {
    const shift = BigInt(this.#o.logPageSize);
    const last = (iova + BigInt(length) - 1n) >> shift;
    for (let page = iova >> shift; page <= last; page += 1n)
      if (this.#tracks(page << shift)) this.#dirty.add(page);
  }

  #tracks(address: bigint): boolean {
    const size = 1n << BigInt(this.#o.logPageSize);
    return this.#o.ranges.some(
      ({ start, length }) => address + size > start && address < start + length,
    );
  }
}

function message(bytes: Uint8Array, state: number): { bytes: Uint8Array; immediate: number } {
  return { bytes, immediate: state * 2 ** TRACKER_STATE_SHIFT };
}

function encodeEntries(pages: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(pages.length * REPORT_ENTRY);
  const view = new DataView(bytes.buffer);
  for (const [index, page] of pages.entries()) view.setBigUint64(index * REPORT_ENTRY, page);
  return bytes;
}
