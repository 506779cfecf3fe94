import { EAGAIN, EINTR } from '@vfiokit/uapi';
import { type Channel, type ChannelUser, LOST_FD } from '../transport/channel.js';
import { MessageHeader } from './message-header.js';
import { Patience } from './patience.js';
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

/** How long a receive may block before the event loop has its turn, and a send before it is left for later. */
const RECEIVE_MICROSECONDS = 2_000;
const SEND_MICROSECONDS = 10_000;
/** While messages keep coming: how long they may keep the event loop waiting, and how often the clock is looked at. */
const TURN_TICKS = 10_000_000;
const MESSAGES_PER_TICK = 16;
const TRIES_PER_TICK = 8;
const TICKS_MODULO = 1_000_000_000;

/** Bytes of a few messages that came together, and how long more of them are looked for before a receive that sleeps. */
const STREAM_BYTES = 128;
const STREAM_NANOSECONDS = 4_000;

const NO_FDS: readonly number[] = [];
const LOST: readonly number[] = [LOST_FD];

const ticksSince = (began: number, now: number) => (now - began + TICKS_MODULO) % TICKS_MODULO;

/** What connections of one process share. */
export interface Company {
  /** How many connections there are. A receive or a send may only block while there is one. */
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
  readonly #incoming: MessageHeader;
  readonly #outgoing: MessageHeader;
  readonly #control = new DataView(new ArrayBuffer(CMSG_HEADER + 4 * MOST_FDS + 4));
  #user!: ChannelUser;
  #unwatch: (() => void) | undefined;
  #open = true;
  readonly #patience: Patience;
  /** Several messages came together and none wanted an answer: their sender goes on, and is not waiting. */
  #streaming = false;

  constructor(
    private readonly system: System,
    private readonly fd: number,
    private readonly company: Company,
    waiting: Waiting,
    private readonly over: () => void,
  ) {
    system.setTimeouts(fd, RECEIVE_MICROSECONDS, SEND_MICROSECONDS);
    this.#incoming = new MessageHeader(system, this.#control);
    this.#outgoing = new MessageHeader(system, this.#control);
    this.#patience = new Patience(waiting.spin);
  }

  /** Begins to listen to the client. */
  start(user: ChannelUser): void {
    this.#user = user;
    this.#incoming.use(user.inbox.bytes);
    this.#outgoing.use(user.outbox);
    this.#watch();
  }

  send(start: number, end: number, fd?: number): number {
    this.#streaming = false;
    // A client that does not take what it is sent may keep nobody else waiting.
    const flags = this.company.connections === 1 ? MSG_NOSIGNAL : MSG_NOSIGNAL | MSG_DONTWAIT;
    const sent =
      start === 0 && fd === undefined
        ? this.system.send(this.fd, this.#user.outbox, end, flags)
        : this.#sendPiece(start, end, fd, flags);
    if (sent === -EAGAIN || sent === -EINTR) return 0;
    return sent;
  }

  #sendPiece(start: number, end: number, fd: number | undefined, flags: number): number {
    this.#outgoing.point(start, end - start);
    this.#outgoing.setControl(fd === undefined ? 0 : this.#putFd(fd));
    return this.system.sendmsg(this.fd, this.#outgoing.bytes, flags);
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
        else if (ticksSince(began, now) > TURN_TICKS) {
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
    const mayBlock = this.company.connections === 1;
    let got = this.#try(mayBlock);
    if (got === -EAGAIN && mayBlock) got = this.#sleep();
    if (got > 0) {
      this.#streaming = got >= STREAM_BYTES;
      const none = this.#incoming.controlLength === 0 && (this.#incoming.flags & MSG_CTRUNC) === 0;
      this.#user.received(got, none ? NO_FDS : this.#takeFds());
      return got;
    }
    if (got === -EAGAIN || got === -EINTR) return 0;
    this.close();
    this.#user.disconnected();
    return 0;
  }

  #try(mayBlock: boolean): number {
    const { nanoseconds } = this.#patience;
    const enough = this.#streaming ? Math.max(nanoseconds, STREAM_NANOSECONDS) : nanoseconds;
    if (enough === 0 && mayBlock) return -EAGAIN;
    let got = this.#recvmsg(MSG_DONTWAIT);
    let began = 0;
    for (let tries = 0; got === -EAGAIN && enough > 0; tries += 1) {
      if (tries % TRIES_PER_TICK === 0) {
        const now = this.system.ticks();
        if (tries === 0) began = now;
        else if (ticksSince(began, now) > enough) break;
      }
      // The client may be waiting for this very processor.
      this.system.schedYield();
      got = this.#recvmsg(MSG_DONTWAIT);
    }
    return got;
  }

  #sleep(): number {
    if (!this.#patience.counts) return this.#recvmsg(0);
    const began = this.system.ticks();
    const got = this.#recvmsg(0);
    this.#patience.slept(ticksSince(began, this.system.ticks()));
    return got;
  }

  #recvmsg(flags: number): number {
    const { inbox } = this.#user;
    this.#incoming.point(inbox.tail, inbox.room);
    this.#incoming.setControl(this.#control.byteLength);
    return this.system.recvmsg(this.fd, this.#incoming.bytes, flags | MSG_CMSG_CLOEXEC);
  }

  /** The descriptors in the control message. Should some have been cut off, the others are no use either. */
  #takeFds(): readonly number[] {
    const fds = this.#incoming.controlLength === 0 ? [] : this.#readFds();
    if ((this.#incoming.flags & MSG_CTRUNC) === 0) return fds;
    for (const fd of fds) this.system.close(fd);
    return LOST;
  }

  #readFds(): number[] {
    const control = this.#control;
    if (control.getUint32(8, true) !== SOL_SOCKET || control.getUint32(12, true) !== SCM_RIGHTS)
      return [];
    const count = (control.getUint32(0, true) - CMSG_HEADER) / 4;
    const fds: number[] = [];
    for (let i = 0; i < count; i += 1) fds.push(control.getInt32(CMSG_HEADER + 4 * i, true));
    return fds;
  }

  /** Puts a descriptor into the control message; how long it is. */
  #putFd(fd: number): number {
    const control = this.#control;
    control.setUint32(0, CMSG_HEADER + 4, true);
    control.setUint32(4, 0, true);
    control.setUint32(8, SOL_SOCKET, true);
    control.setUint32(12, SCM_RIGHTS, true);
    control.setInt32(CMSG_HEADER, fd, true);
    return CMSG_HEADER + 8;
  }
}
