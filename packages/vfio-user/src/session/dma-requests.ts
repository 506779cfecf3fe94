import { EIO } from '@vfiokit/uapi';
import type { ClientMemory, Courier, Transfer } from '../dma/client-memory.js';
import { DMA_READ, DMA_WRITE } from '../protocol/commands.js';
import {
  DMA_ACCESS_SIZE,
  FLAG_ERROR,
  getWide,
  HEADER_COMMAND,
  HEADER_ERROR,
  HEADER_FLAGS,
  HEADER_ID,
  HEADER_SIZE,
  putHeader,
  putWide,
  TYPE_COMMAND,
} from '../protocol/header.js';
import type { Outbox } from './outbox.js';

const BODY = HEADER_SIZE + DMA_ACCESS_SIZE;
const IDS = 0x10000;

interface Request {
  readonly transfer: Transfer;
  readonly length: number;
}

/**
 * What the server asks of its client: DMA_READ and DMA_WRITE. They leave after the reply to whatever is being handled,
 * since a client may wait for that before it answers; commands that arrive meanwhile are answered.
 */
export class DmaRequests implements Courier {
  largest = 0;
  /** To be sent. */
  #asked: Request[] = [];
  /** Sent, by message id; `undefined` where nobody waits for the answer any more. */
  readonly #pending = new Map<number, Request | undefined>();
  #nextId = 0;

  constructor(
    private readonly memory: ClientMemory,
    private readonly outbox: Outbox,
    readonly failed: (error: unknown) => void,
    /** Has {@link send} called as soon as nothing else is being handled. */
    private readonly wake: () => void,
  ) {}

  /** The client may be asked, for as much as this at once. */
  open(largest: number): void {
    this.largest = Math.floor(largest);
    this.memory.attach(this);
  }

  /** Nothing is sent any more. */
  close(): void {
    this.#asked = [];
    this.#pending.clear();
  }

  /** A reply is to come. */
  get awaiting(): boolean {
    return this.#pending.size > 0;
  }

  ask(transfer: Transfer, length: number): void {
    // A client that accepts no data can't be asked for any.
    if (length === 0) {
      this.memory.resume(transfer, 0, -EIO);
      return;
    }
    this.#asked.push({ transfer, length });
    this.wake();
  }

  forget(transfer: Transfer): void {
    this.#asked = this.#asked.filter((request) => request.transfer !== transfer);
    for (const [id, request] of this.#pending)
      if (request?.transfer === transfer) this.#pending.set(id, undefined);
  }

  /** Sends what was asked for. */
  send(): void {
    while (this.#asked.length > 0 && !this.outbox.blocked && this.#pending.size < IDS) {
      const request = this.#asked.shift()!;
      const id = this.#freeId();
      this.#pending.set(id, request);
      this.#compose(id, request);
    }
  }

  /** A reply arrived. One with an id that nobody waits for is passed over. */
  answered(
    { bytes, view }: { readonly bytes: Uint8Array; readonly view: DataView },
    at: number,
    size: number,
  ): void {
    const id = view.getUint16(at + HEADER_ID, true);
    const request = this.#pending.get(id);
    this.#pending.delete(id);
    if (request === undefined) return;
    const { transfer, length } = request;
    const failed = (view.getUint32(at + HEADER_FLAGS, true) & FLAG_ERROR) !== 0;
    if (failed) {
      this.memory.resume(transfer, 0, -(view.getUint32(at + HEADER_ERROR, true) & 0xfff) || -EIO);
      return;
    }
    if (!this.#fits(view, at, size, request)) {
      this.memory.resume(transfer, 0, -EIO);
      return;
    }
    if (!transfer.isWrite)
      transfer.bytes.set(bytes.subarray(at + BODY, at + BODY + length), transfer.moved);
    this.memory.resume(transfer, length, 0);
  }

  #compose(id: number, { transfer, length }: Request): void {
    const { bytes, isWrite, moved } = transfer;
    const size = isWrite ? BODY + length : BODY;
    const to = this.outbox.open(size);
    const { view } = this.outbox;
    putHeader(view, to, id, isWrite ? DMA_WRITE : DMA_READ, size, TYPE_COMMAND);
    putWide(view, to + HEADER_SIZE, transfer.address + moved);
    putWide(view, to + HEADER_SIZE + 8, length);
    if (isWrite) this.outbox.bytes.set(bytes.subarray(moved, moved + length), to + BODY);
    this.outbox.close(size);
  }

  /** Whether a reply is one to this request. Of writes, clients repeat the address and count, a part of them or nothing. */
  #fits(view: DataView, at: number, size: number, { transfer, length }: Request): boolean {
    const { isWrite, address, moved } = transfer;
    if (view.getUint16(at + HEADER_COMMAND, true) !== (isWrite ? DMA_WRITE : DMA_READ))
      return false;
    if (!isWrite && size !== BODY + length) return false;
    if (size >= HEADER_SIZE + 8 && getWide(view, at + HEADER_SIZE) !== address + moved)
      return false;
    if (size < HEADER_SIZE + 12) return size === HEADER_SIZE;
    const count =
      size < BODY
        ? view.getUint32(at + HEADER_SIZE + 8, true)
        : getWide(view, at + HEADER_SIZE + 8);
    return count === length;
  }

  #freeId(): number {
    let id = this.#nextId;
    while (this.#pending.has(id)) id = (id + 1) % IDS;
    this.#nextId = (id + 1) % IDS;
    return id;
  }
}
