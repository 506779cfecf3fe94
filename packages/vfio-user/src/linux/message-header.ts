import type { System } from './system.js';

// struct msghdr of 64-bit Linux, and the struct iovec behind it.
const MSG_IOV = 16;
const MSG_IOVLEN = 24;
const MSG_CONTROL = 32;
const MSG_CONTROLLEN = 40;
const MSG_FLAGS = 48;
const MSG_SIZE = 56;
const IOV_BASE = MSG_SIZE;
const IOV_LEN = MSG_SIZE + 8;
const IOV_SIZE = 16;

const WORD = 2 ** 32;

/** A struct msghdr with one piece of a buffer and room for a control message: made once, filled in for every call. */
export class MessageHeader {
  /** The structure, for the system call. */
  readonly bytes = new Uint8Array(new ArrayBuffer(MSG_SIZE + IOV_SIZE));
  readonly #view = new DataView(this.bytes.buffer);
  /** The buffer's address, in halves. */
  #low = 0;
  #high = 0;

  constructor(
    private readonly system: System,
    control: DataView,
  ) {
    const own = system.addressOf(this.bytes);
    this.#putAddress(MSG_IOV, own + IOV_BASE);
    this.#view.setUint32(MSG_IOVLEN, 1, true);
    this.#putAddress(MSG_CONTROL, system.addressOf(new Uint8Array(control.buffer)));
  }

  /** Says which buffer the pieces are of. */
  use(buffer: Uint8Array): void {
    const address = this.system.addressOf(buffer);
    this.#low = address % WORD;
    this.#high = Math.floor(address / WORD);
  }

  /** Which piece of the buffer is sent, or received into. */
  point(start: number, length: number): void {
    const low = this.#low + start;
    const view = this.#view;
    view.setUint32(IOV_BASE, low < WORD ? low : low - WORD, true);
    view.setUint32(IOV_BASE + 4, low < WORD ? this.#high : this.#high + 1, true);
    view.setUint32(IOV_LEN, length, true);
  }

  /** Bytes of the control message that is sent, or of the room for one. */
  setControl(length: number): void {
    this.#view.setUint32(MSG_CONTROLLEN, length, true);
  }

  /** Bytes of the control message that was received. */
  get controlLength(): number {
    return this.#view.getUint32(MSG_CONTROLLEN, true);
  }

  /** MSG_* of what was received. */
  get flags(): number {
    return this.#view.getUint32(MSG_FLAGS, true);
  }

  #putAddress(at: number, address: number): void {
    this.#view.setUint32(at, address % WORD, true);
    this.#view.setUint32(at + 4, Math.floor(address / WORD), true);
  }
}
