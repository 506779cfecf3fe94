import { FLAG_ERROR, HEADER_SIZE, putHeader, TYPE_REPLY } from '../protocol/header.js';
import type { Trace } from '../trace.js';
import type { Channel } from '../transport/channel.js';

/** Messages are sent together up to here, which is what the kernel keeps in one piece: no reader ever sees half a header. */
const BATCH = 1 << 14;

/** Messages on their way to the client: several small ones leave together, a large one alone. */
export class Outbox {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  #sent = 0;
  #end = 0;
  /** Where a message starts that must not be sent in one go with what stands before it; 0 for none. */
  #cut = 0;
  #fd = -1;
  #fdAt = -1;
  #blocked = false;

  /** @param largest bytes of the largest message. */
  constructor(
    largest: number,
    private readonly channel: Channel,
    private readonly trace?: Trace,
  ) {
    this.bytes = new Uint8Array(new ArrayBuffer(largest + BATCH));
    this.view = new DataView(this.bytes.buffer);
  }

  /** The client does not take what it was sent: no further message may be begun. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** Where a message of at most this size can be put together. It counts once it is {@link close}d. */
  open(size: number): number {
    if (this.#end > 0 && this.#end + size > BATCH) this.flush();
    return this.#end;
  }

  /** The message at {@link open}'s place is complete. */
  close(size: number): void {
    this.trace?.('sent', this.bytes.subarray(this.#end, this.#end + size), 0);
    this.#end += size;
    // Behind a large one there may be no room for another. One that follows what is blocked is the last to be begun.
    if (this.#end > BATCH && !this.#blocked) this.flush();
  }

  /** The same for a message that carries a descriptor, which stays the caller's: it leaves at once, in a send of its own. */
  closeWith(fd: number, size: number): void {
    this.#cut = this.#end;
    this.#fdAt = this.#end;
    this.#fd = fd;
    this.trace?.('sent', this.bytes.subarray(this.#end, this.#end + size), 1);
    this.#end += size;
    this.flush();
  }

  /** Adds an error reply. */
  error(id: number, command: number, errno: number): void {
    const at = this.open(HEADER_SIZE);
    putHeader(this.view, at, id, command, HEADER_SIZE, TYPE_REPLY | FLAG_ERROR, errno);
    this.close(HEADER_SIZE);
  }

  /** Sends what there is; false if the client is gone. */
  flush(): boolean {
    while (this.#sent < this.#end) {
      const end = this.#sent < this.#cut ? this.#cut : this.#end;
      const sent =
        this.#sent === this.#fdAt
          ? this.channel.send(this.#sent, end, this.#fd)
          : this.channel.send(this.#sent, end);
      if (sent < 0) {
        this.clear();
        return false;
      }
      this.#sent += sent;
      if (this.#sent < end) {
        this.#blocked = true;
        this.#cut = end;
        return true;
      }
    }
    this.clear();
    return true;
  }

  /** Forgets what was not sent. */
  clear(): void {
    this.#sent = 0;
    this.#end = 0;
    this.#cut = 0;
    this.#fdAt = -1;
    this.#blocked = false;
  }
}
