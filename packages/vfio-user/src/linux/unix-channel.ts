import { EAGAIN, EINTR } from '@vfiokit/uapi';
import type { Channel, ChannelUser } from '../transport/channel.js';
import type { System } from './system.js';

const MSG_DONTWAIT = 0x40;
const MSG_CTRUNC = 0x8;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
/** SCM_MAX_FD: the kernel passes no more with one message, so nothing is ever cut off. */
const MOST_FDS = 253;
const CMSG_HEADER = 16;

// struct msghdr on 64-bit Linux.
const MSG_IOV = 16;
const MSG_IOVLEN = 24;
const MSG_CONTROL = 32;
const MSG_CONTROLLEN = 40;
const MSG_FLAGS = 48;
const MSG_SIZE = 56;
const IOV_BASE = 0;
const IOV_LEN = 8;
const IOV_SIZE = 16;

/** How long a receive may block before the event loop has its turn, and a send before it is left for later. */
const RECEIVE_MICROSECONDS = 2_000;
const SEND_MICROSECONDS = 10_000;
/** While messages keep coming: how long they may keep the event loop waiting, and how often the clock is looked at. */
const TURN_TICKS = 10_000_000;
const MESSAGES_PER_TICK = 16;
const TICKS_MODULO = 2 ** 30;

const NO_FDS: readonly number[] = [];

/** What connections of one process share. */
export interface Company {
  /** How many connections there are. A receive may only block while there is one. */
  readonly connections: number;
}

/** How a connection waits. */
export interface Waiting {
  /** Receives are tried for this many microseconds before one sleeps; 0 sleeps at once. */
  readonly spin: number;
}

/**
 * A UNIX stream socket by system calls: one to receive whatever has arrived, one to send whatever is to say.
 *
 * While a client is busy the channel stays in a receive, first trying, then sleeping; the client's next message finds it
 * there without the event loop in between. A quiet client is left to the event loop.
 */
export class UnixChannel implements Channel {
  readonly passesDescriptors = true;
  readonly #message = new DataView(new ArrayBuffer(MSG_SIZE));
  readonly #vector = new DataView(new ArrayBuffer(IOV_SIZE));
  readonly #control = new DataView(new ArrayBuffer(CMSG_HEADER + 4 * MOST_FDS + 4));
  readonly #messageAt: number;
  readonly #controlAt: number;
  #user!: ChannelUser;
  #inboxAt = 0;
  #outboxAt = 0;
  #unwatch: (() => void) | undefined;
  #open = true;
  /** How many receives are tried before one sleeps: more while trying pays, fewer while it does not. */
  #tries = 0;
  readonly #mostTries: number;

  constructor(
    private readonly system: System,
    private readonly fd: number,
    private readonly company: Company,
    waiting: Waiting,
    private readonly over: () => void,
  ) {
    system.setTimeouts(fd, RECEIVE_MICROSECONDS, SEND_MICROSECONDS);
    const address = (view: DataView) => system.addressOf(new Uint8Array(view.buffer));
    this.#messageAt = address(this.#message);
    this.#controlAt = address(this.#control);
    putAddress(this.#message, MSG_IOV, address(this.#vector));
    this.#message.setUint32(MSG_IOVLEN, 1, true);
    // A receive that finds nothing takes about a third of a microsecond.
    this.#mostTries = waiting.spin * 3;
    this.#tries = this.#mostTries;
  }

  /** Begins to listen to the client. */
  start(user: ChannelUser): void {
    this.#user = user;
    this.#inboxAt = this.system.addressOf(user.inbox.bytes);
    this.#outboxAt = this.system.addressOf(user.outbox);
    this.#watch();
  }

  send(start: number, end: number, fd?: number): number {
    const sent =
      fd === undefined
        ? this.system.send(this.fd, this.#outboxAt + start, end - start, MSG_NOSIGNAL)
        : this.#sendFd(start, end, fd);
    if (sent === -EAGAIN || sent === -EINTR) return 0;
    return sent;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#unwatch?.();
    this.#unwatch = undefined;
    this.system.close(this.fd);
    this.over();
  }

  /** Leaves the connection to the event loop. */
  #watch(): void {
    if (!this.#open) return;
    const what = this.#user.paused ? 'writable' : 'readable';
    this.#unwatch ??= this.system.watch(this.fd, what, () => {
      this.#unwatch?.();
      this.#unwatch = undefined;
      if (this.#user.paused) this.#user.writable();
      this.#serve();
    });
  }

  /** Receives and lets the user answer, until the client is quiet or others have waited long enough. */
  readonly #serve = (): void => {
    let turn = 0;
    let began = 0;
    while (this.#open && !this.#user.paused) {
      const got = this.#receive();
      if (got === 0) break;
      if (turn % MESSAGES_PER_TICK === 0) {
        const now = this.system.ticks();
        if (turn === 0) began = now;
        else if ((now - began + TICKS_MODULO) % TICKS_MODULO > TURN_TICKS) {
          setImmediate(this.#serve);
          return;
        }
      }
      turn += 1;
    }
    this.#watch();
  };

  /** One receive: the number of bytes that the user got, 0 for none in time, or because the client is gone. */
  #receive(): number {
    let got = -EAGAIN;
    let tries = this.#tries;
    do got = this.#recvmsg(MSG_DONTWAIT);
    while (got === -EAGAIN && tries-- > 0);
    if (this.#mostTries > 0)
      this.#tries =
        got === -EAGAIN
          ? Math.max(this.#tries >> 1, this.#mostTries >> 4)
          : Math.min(this.#tries + (this.#tries >> 2) + 1, this.#mostTries);
    if (got === -EAGAIN && this.company.connections === 1) got = this.#recvmsg(0);
    if (got > 0) {
      this.#user.received(
        got,
        this.#message.getUint32(MSG_CONTROLLEN, true) === 0 ? NO_FDS : this.#takeFds(),
      );
      return got;
    }
    if (got === -EAGAIN || got === -EINTR) return 0;
    this.close();
    this.#user.disconnected();
    return 0;
  }

  #recvmsg(flags: number): number {
    const { inbox } = this.#user;
    putAddress(this.#vector, IOV_BASE, this.#inboxAt + inbox.tail);
    this.#vector.setUint32(IOV_LEN, inbox.room, true);
    putAddress(this.#message, MSG_CONTROL, this.#controlAt);
    this.#message.setUint32(MSG_CONTROLLEN, this.#control.byteLength, true);
    return this.system.recvmsg(this.fd, this.#messageAt, flags | MSG_CMSG_CLOEXEC);
  }

  /** The descriptors in the control message. */
  #takeFds(): readonly number[] {
    const control = this.#control;
    if ((this.#message.getUint32(MSG_FLAGS, true) & MSG_CTRUNC) !== 0) return this.#truncated();
    return this.#listFds(control);
  }

  /** The room is for as many as the kernel passes; should it cut some off all the same, the rest is no use. */
  #truncated(): readonly number[] {
    for (const fd of this.#listFds(this.#control)) this.system.close(fd);
    return NO_FDS;
  }

  #listFds(control: DataView): readonly number[] {
    if (control.getUint32(8, true) !== SOL_SOCKET || control.getUint32(12, true) !== SCM_RIGHTS)
      return NO_FDS;
    const count = (control.getUint32(0, true) - CMSG_HEADER) / 4;
    return Array.from({ length: count }, (_, i) => control.getInt32(CMSG_HEADER + 4 * i, true));
  }

  #sendFd(start: number, end: number, fd: number): number {
    putAddress(this.#vector, IOV_BASE, this.#outboxAt + start);
    this.#vector.setUint32(IOV_LEN, end - start, true);
    putAddress(this.#message, MSG_CONTROL, this.#controlAt);
    this.#message.setUint32(MSG_CONTROLLEN, CMSG_HEADER + 8, true);
    this.#control.setUint32(0, CMSG_HEADER + 4, true);
    this.#control.setUint32(4, 0, true);
    this.#control.setUint32(8, SOL_SOCKET, true);
    this.#control.setUint32(12, SCM_RIGHTS, true);
    this.#control.setInt32(CMSG_HEADER, fd, true);
    return this.system.sendmsg(this.fd, this.#messageAt, MSG_NOSIGNAL);
  }
}

const WORD = 2 ** 32;

function putAddress(view: DataView, at: number, address: number): void {
  view.setUint32(at, address % WORD, true);
  view.setUint32(at + 4, Math.floor(address / WORD), true);
}
