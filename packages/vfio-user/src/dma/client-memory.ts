import { EAGAIN, ECANCELED, EFAULT, EPERM } from '@vfiokit/uapi';
import { DirtyLog } from './dirty-log.js';
import { READABLE, Windows, WRITEABLE } from './windows.js';

/** Called once with 0 or a negated errno. */
export type TransferDone = (result: number) => void;

/** A DMA that may need messages to the client. */
export interface Transfer {
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly isWrite: boolean;
  readonly done: TransferDone;
  /** Bytes that have been moved. */
  moved: number;
  ended: boolean;
}

/** How parts of the memory are reached that only the client can reach. */
export interface Courier {
  /** Bytes of data in a message, at most. */
  readonly largest: number;
  /** Asks the client for the next `length` bytes of a transfer, after what is being answered now; {@link ClientMemory.resume} follows. */
  ask(transfer: Transfer, length: number): void;
  /** Nobody waits for the answers of a transfer any more. */
  forget(transfer: Transfer): void;
  /** Told of what a device threw when it was told of a transfer's end. */
  failed(error: unknown): void;
}

/**
 * The memory of the client as a device reaches it: a device's DMA port. It outlives clients; without one, everything
 * faults.
 *
 * {@link read} and {@link write} are done when they return, which takes windows that the client gave files for; they
 * are a `DmaPort` of `@vfiokit/pci`. {@link readLater} and {@link writeLater} work for all windows.
 * Errors: `-EFAULT` outside of all windows, `-EPERM` against a window's permission, `-EAGAIN` where only the client itself
 * can reach the memory. Nothing is moved unless the whole range is there.
 */
export class ClientMemory {
  /** What the client has mapped; the session's to change. */
  readonly windows: Windows;
  /** Which pages were written; the session's to start and stop. */
  readonly log = new DirtyLog();
  readonly #transfers = new Set<Transfer>();
  #courier: Courier | undefined;

  /** @param maxDmaMaps how many windows there may be at once. */
  constructor(readonly maxDmaMaps = 65535) {
    this.windows = new Windows(maxDmaMaps);
  }

  /** A client is there, who can be asked. */
  attach(courier: Courier): void {
    this.#courier = courier;
  }

  /** The client is gone: transfers end, windows close, nothing is logged any more. */
  detach(): void {
    // The windows go first: a device that tries again as soon as it hears of the end finds nothing there.
    this.windows.clear();
    this.log.stop();
    this.cancel(0, Number.POSITIVE_INFINITY);
    this.#courier = undefined;
  }

  /** Reads client memory; 0 or a negated errno. */
  read(iova: number | bigint, into: Uint8Array): number {
    return this.#now(toNumber(iova), into, false);
  }

  /** Writes client memory; 0 or a negated errno. */
  write(iova: number | bigint, from: Uint8Array): number {
    return this.#now(toNumber(iova), from, true);
  }

  /**
   * The bytes themselves, for devices that use a ring or a frame for long: `undefined` unless all of them lie in one
   * mapped window with this permission. Once the client takes the window away, they no longer are the client's.
   * While dirty pages are logged, memory that is lent for writing counts as written.
   */
  view(iova: number | bigint, length: number, access: 'read' | 'write'): Uint8Array | undefined {
    const address = toNumber(iova);
    const wanted = access === 'write' ? WRITEABLE : READABLE;
    const window = this.windows.find(address);
    if (window === 0 || (this.windows.flags(window) & wanted) === 0) return undefined;
    if (length > this.windows.end(window) - address) return undefined;
    const view = this.windows.file(window)?.view(this.windows.offset(window, address), length);
    if (view !== undefined && access === 'write') this.log.wrote(address, length);
    return view;
  }

  /** Reads client memory and calls `done`, perhaps before this returns. `into` is the device's again then. */
  readLater(iova: number | bigint, into: Uint8Array, done: TransferDone): void {
    this.#later(toNumber(iova), into, false, done);
  }

  /** Writes client memory and calls `done`, under the same rules. */
  writeLater(iova: number | bigint, from: Uint8Array, done: TransferDone): void {
    this.#later(toNumber(iova), from, true, done);
  }

  /** The client answered: `error` is 0 if `length` bytes of the transfer were moved. */
  resume(transfer: Transfer, length: number, error: number): void {
    if (transfer.ended) return;
    if (error < 0) {
      this.#end(transfer, error);
      return;
    }
    if (transfer.isWrite) this.log.wrote(transfer.address + transfer.moved, length);
    transfer.moved += length;
    this.#advance(transfer);
  }

  /** Ends transfers that have to do with a range whose windows are gone. */
  cancel(start: number, end: number): void {
    // What a device begins when it hears of the end is none of them.
    for (const transfer of [...this.#transfers]) {
      const { address, bytes } = transfer;
      if (transfer.ended || address >= end || start - address >= bytes.length) continue;
      this.#courier?.forget(transfer);
      this.#end(transfer, -ECANCELED);
    }
  }

  #now(address: number, bytes: Uint8Array, isWrite: boolean): number {
    const { windows } = this;
    const window = windows.find(address);
    // Nearly every DMA stays inside one window that has a file.
    if (window === 0 || bytes.length > windows.end(window) - address) {
      const error = this.#check(address, bytes.length, isWrite, true);
      return error < 0 ? error : this.#pieces(address, bytes, isWrite);
    }
    const error = this.#refusal(window, isWrite, true);
    if (error < 0) return error;
    return this.#move(window, address, bytes, isWrite);
  }

  #later(address: number, bytes: Uint8Array, isWrite: boolean, done: TransferDone): void {
    const error = this.#check(address, bytes.length, isWrite, false);
    if (error < 0) {
      done(error);
      return;
    }
    const transfer: Transfer = { address, bytes, isWrite, done, moved: 0, ended: false };
    this.#transfers.add(transfer);
    this.#advance(transfer);
  }

  /** Goes on until the transfer is complete or the client has to be asked. */
  #advance(transfer: Transfer): void {
    const { bytes, isWrite } = transfer;
    while (transfer.moved < bytes.length) {
      const address = transfer.address + transfer.moved;
      // Above 2^53 the sum may be another address.
      const exact = address - transfer.address === transfer.moved;
      const window = exact ? this.windows.find(address) : 0;
      const refusal = window === 0 ? -EFAULT : this.#refusal(window, isWrite, false);
      if (refusal < 0) {
        this.#end(transfer, refusal);
        return;
      }
      const length = Math.min(bytes.length - transfer.moved, this.windows.end(window) - address);
      if (this.windows.file(window) === undefined) {
        this.#ask(transfer, length);
        return;
      }
      const piece = bytes.subarray(transfer.moved, transfer.moved + length);
      const error = this.#move(window, address, piece, isWrite);
      if (error < 0) {
        this.#end(transfer, error);
        return;
      }
      transfer.moved += length;
    }
    this.#end(transfer, 0);
  }

  #ask(transfer: Transfer, length: number): void {
    const courier = this.#courier;
    if (courier === undefined) this.#end(transfer, -EFAULT);
    else courier.ask(transfer, Math.min(length, courier.largest));
  }

  #end(transfer: Transfer, result: number): void {
    const courier = this.#courier;
    transfer.ended = true;
    this.#transfers.delete(transfer);
    try {
      transfer.done(result);
    } catch (error) {
      // A device's mistake ends neither other transfers nor the connection.
      if (courier === undefined) throw error;
      courier.failed(error);
    }
  }

  #pieces(address: number, bytes: Uint8Array, isWrite: boolean): number {
    for (let done = 0; done < bytes.length; ) {
      const window = this.windows.find(address + done);
      const length = Math.min(bytes.length - done, this.windows.end(window) - (address + done));
      const piece = bytes.subarray(done, done + length);
      const error = this.#move(window, address + done, piece, isWrite);
      if (error < 0) return error;
      done += length;
    }
    return 0;
  }

  #move(window: number, address: number, bytes: Uint8Array, isWrite: boolean): number {
    const file = this.windows.file(window);
    if (file === undefined) return -EAGAIN;
    const offset = this.windows.offset(window, address);
    if (!isWrite) return file.read(offset, bytes);
    this.log.wrote(address, bytes.length);
    return file.write(offset, bytes);
  }

  /** 0 if a whole range can be moved. */
  #check(address: number, length: number, isWrite: boolean, now: boolean): number {
    for (let at = address, left = length; left > 0; ) {
      const window = this.windows.find(at);
      if (window === 0) return -EFAULT;
      const refusal = this.#refusal(window, isWrite, now);
      if (refusal < 0) return refusal;
      const end = this.windows.end(window);
      left -= end - at;
      at = end;
    }
    return 0;
  }

  #refusal(window: number, isWrite: boolean, now: boolean): number {
    const wanted = isWrite ? WRITEABLE : READABLE;
    if ((this.windows.flags(window) & wanted) === 0) return -EPERM;
    return now && this.windows.file(window) === undefined ? -EAGAIN : 0;
  }
}

/** An address as a number that is exactly it; -1, which lies in no window, where there is none. */
function toNumber(iova: number | bigint): number {
  const address = Number(iova);
  if (address <= Number.MAX_SAFE_INTEGER) return address;
  return Number.isInteger(address) && BigInt(address) === BigInt(iova) ? address : -1;
}
