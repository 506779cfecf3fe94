import { EventFd, Process, type VfioFile } from '@vfiokit/uapi';
import type { TraceMeta } from '../trace/trace.js';

/** Where the recorder's dirty bitmaps are put: somewhere that the trace does not use. */
const BITMAP_ADDRESS = 0x40000000000;
const BITMAP_SIZE = 32 << 10;
/** What an ioctl's argument is followed by: zeroes, as many as the recorder had. */
const ARGUMENT_SIZE = 64 << 10;

/** /dev/null: an open file of the wrong kind. */
class OtherFile implements VfioFile {
  readonly kind = 'other';
  close(): void {}
}

/** The recorded process: its descriptors with their fixed numbers, its memory, its eventfds. */
export class RecordedUser {
  readonly process = new Process();
  readonly #eventFds: readonly EventFd[];
  #signalled: number[] = [];
  readonly #arenaAddress: number;
  readonly #arenaSize: number;
  #arenaBytes: Uint8Array | undefined;
  readonly #bitmap = new Uint8Array(BITMAP_SIZE);
  #bitmapUsed = false;
  readonly #argument = new Uint8Array(ARGUMENT_SIZE);
  readonly #argumentText = Buffer.from(this.#argument.buffer);
  #argumentUsed = 0;

  constructor({ fds, mem }: TraceMeta) {
    const { process } = this;
    process.fds.set(fds.null, new OtherFile());
    this.#eventFds = Array.from(
      { length: fds.neventfd },
      (_, i) => new EventFd(() => this.#signalled.push(i)),
    );
    for (const [i, eventfd] of this.#eventFds.entries()) process.fds.set(fds.eventfd + i, eventfd);
    this.#arenaAddress = Number(mem.arena);
    this.#arenaSize = Number(mem.arena_size);
    const contents = () => this.#contents();
    process.memory.map({
      address: this.#arenaAddress,
      size: this.#arenaSize,
      writable: true,
      // Few traces ever look into these megabytes.
      get bytes() {
        return contents();
      },
    });
    process.memory.map({
      address: Number(mem.readonly),
      size: Number(mem.readonly_size),
      writable: false,
    });
    process.memory.map({
      address: BITMAP_ADDRESS,
      size: BITMAP_SIZE,
      writable: true,
      bytes: this.#bitmap,
    });
  }

  eventFd(index: number): EventFd | undefined {
    return this.#eventFds[index];
  }

  /** Reads every eventfd that has something to read, as poll(2) and read(2) would. */
  takeEvents(): Record<string, number> | undefined {
    if (this.#signalled.length === 0) return undefined;
    let events: Record<string, number> | undefined;
    for (const index of new Set(this.#signalled.sort((a, b) => a - b))) {
      const count = this.#eventFds[index]!.take();
      if (count === 0) continue;
      events ??= {};
      events[`e${index}`] = count;
    }
    this.#signalled.length = 0;
    return events;
  }

  /**
   * Does something that may signal eventfds, and takes it back unless it signals only such as are recorded and still
   * missing; whether it stayed.
   */
  tries(recorded: Readonly<Record<string, number>>, body: () => void): boolean {
    const before = this.#eventFds.map(({ count }) => count);
    body();
    const signalled = this.#eventFds.flatMap(({ count }, i) => (count === before[i] ? [] : [i]));
    const wanted = signalled.every((i) => this.#eventFds[i]!.count <= (recorded[`e${i}`] ?? 0));
    if (wanted) return signalled.length > 0;
    for (const i of signalled) {
      this.#eventFds[i]!.take();
      if (before[i]! > 0) this.#eventFds[i]!.signal(before[i]);
    }
    return false;
  }

  /** The argument of an ioctl: the recorded bytes and zeroes behind them. Valid until the next call. */
  argument(hex: string): Uint8Array {
    this.#argument.fill(0, 0, this.#argumentUsed);
    // An ioctl may write more than it was given.
    this.#argumentUsed = Math.max(4096, hex.length / 2);
    this.#argumentText.write(hex, 'hex');
    return this.#argument;
  }

  /** The first bytes of the argument in hex. */
  argumentHex(length: number): string {
    return this.#argumentText.toString('hex', 0, length);
  }

  /** An empty dirty bitmap's address; what it is filled with is read by {@link takeBitmap}. */
  bitmap(): number {
    if (this.#bitmapUsed) this.#bitmap.fill(0);
    this.#bitmapUsed = true;
    return BITMAP_ADDRESS;
  }

  /** The bitmap in hex without the zeroes at its end; its words of 64 bits turned round for a big-endian machine. */
  takeBitmap(foreign: boolean): string {
    return trimmedHex(foreign ? Buffer.from(this.#bitmap).swap64() : this.#bitmap);
  }

  /** Memory that devices can reach. */
  arena(address: number, length: number): Uint8Array | undefined {
    const at = address - this.#arenaAddress;
    if (at < 0 || at + length > this.#arenaSize) return undefined;
    return this.#contents().subarray(at, at + length);
  }

  #contents(): Uint8Array {
    this.#arenaBytes ??= new Uint8Array(this.#arenaSize);
    return this.#arenaBytes;
  }
}

/** Hex without the zero bytes at the end. */
function trimmedHex(bytes: Uint8Array): string {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  let word = words.length;
  while (word > 0 && words[word - 1] === 0) word -= 1;
  let end = 4 * word;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return Buffer.from(bytes.buffer, bytes.byteOffset, end).toString('hex');
}
