import { addressOfBytes, calls, connectTo } from './system-calls.js';

export const READ = 9;
export const WRITE = 10;
const VERSION = 1;
const MAP = 2;
const UNMAP = 3;
const NO_REPLY = 0x10;
const PAGE = 4096;

/** Where replies go: one place for all clients, so that none has the better memory. */
const RECEIVED = new Uint8Array(new ArrayBuffer(1 << 21));

/** A client that blocks, like a vCPU. */
export class Client implements Disposable {
  readonly #fd: number;
  readonly #out = new Uint8Array(new ArrayBuffer(1 << 16));
  readonly #view = new DataView(this.#out.buffer);
  /** A struct msghdr, its struct iovec and a control message with one descriptor. */
  readonly #message = new Uint8Array(new ArrayBuffer(72 + 24));
  readonly #messageView = new DataView(this.#message.buffer);

  constructor(path: string) {
    this.#fd = connectTo(path);
    if (this.#fd < 0) throw new Error(`${path}: nobody serves there`);
    const json = new TextEncoder().encode('{"capabilities":{"max_msg_fds":8}}\0');
    this.#header(0, VERSION, 20 + json.length);
    this.#view.setUint32(16, 0x10000, true);
    this.#out.set(json, 20);
    this.#send(20 + json.length);
    this.#receive(16);
    this.#prepareMessage();
  }

  /** A read of `count` bytes, or a 4-byte write. */
  access(command: number, count: number, offset = 0): void {
    const size = command === WRITE ? 36 : 32;
    this.#put(0, command, size, count, 0, offset);
    this.#send(size);
    this.#receive(command === WRITE ? 32 : 32 + count);
  }

  /** Writes all of a region, so that there is memory behind every page of it, and not one page of zeroes behind them all. */
  fill(size: number): void {
    const piece = 1 << 15;
    for (let offset = 0; offset < size; offset += piece) {
      this.#put(0, WRITE, 32 + piece, piece, 0, offset);
      this.#out.fill(0x5a, 32, 32 + piece);
      this.#send(32 + piece);
      this.#receive(32);
    }
  }

  /** Posted writes, and a read behind them. */
  posted(writes: number): void {
    this.#put(0, WRITE, 36, 4, NO_REPLY);
    for (let i = 0; i < writes; i += 1) this.#send(36);
    this.access(READ, 4);
  }

  /** Reads that are sent together. */
  inFlight(reads: number): void {
    for (let i = 0; i < reads; i += 1) this.#put(32 * i, READ, 32, 4, 0);
    this.#send(32 * reads);
    this.#receive(36 * reads);
  }

  /** A window with a file, `number` windows into the address space. */
  map(number: number, file: number): void {
    this.#header(0, MAP, 48);
    this.#window(number, 32, 3, 32);
    this.#view.setUint32(24, number * PAGE, true);
    this.#view.setUint32(28, 0, true);
    this.#messageView.setInt32(88, file, true);
    calls.sendmsg(this.#fd, this.#message, 0);
    this.#receive(16);
  }

  unmap(number: number): void {
    this.#header(0, UNMAP, 40);
    this.#window(number, 24, 0, 24);
    this.#send(40);
    this.#receive(40);
  }

  [Symbol.dispose](): void {
    calls.close(this.#fd);
  }

  #prepareMessage(): void {
    const view = this.#messageView;
    const at = addressOfBytes(this.#message);
    for (const [offset, value] of [
      [16, at + 56n],
      [24, 1n],
      [32, at + 72n],
      [40, 24n],
      [56, addressOfBytes(this.#out)],
      [64, 48n],
      [72, 20n],
    ] as const)
      view.setBigUint64(offset, value, true);
    view.setUint32(80, 1, true);
    view.setUint32(84, 1, true);
  }

  #window(number: number, argsz: number, flags: number, at: number): void {
    this.#view.setUint32(16, argsz, true);
    this.#view.setUint32(20, flags, true);
    this.#view.setUint32(at, number * 2 * PAGE, true);
    this.#view.setUint32(at + 4, 1, true);
    this.#view.setUint32(at + 8, PAGE, true);
    this.#view.setUint32(at + 12, 0, true);
  }

  #put(at: number, command: number, size: number, count: number, flags: number, offset = 0): void {
    this.#header(at, command, size, flags);
    this.#out.fill(0, at + 16, at + 28);
    this.#view.setUint32(at + 16, offset, true);
    this.#view.setUint32(at + 28, count, true);
  }

  #header(at: number, command: number, size: number, flags = 0): void {
    this.#view.setUint16(at, 1, true);
    this.#view.setUint16(at + 2, command, true);
    this.#view.setUint32(at + 4, size, true);
    this.#view.setUint32(at + 8, flags, true);
  }

  #send(length: number): void {
    calls.send(this.#fd, this.#out, length, 0);
  }

  #receive(length: number): void {
    for (let got = 0; got < length; ) {
      const count = calls.recv(this.#fd, RECEIVED, RECEIVED.length, 0);
      if (count <= 0) throw new Error('the server is gone');
      got += count;
    }
  }
}
