import type { Descriptors } from './descriptors.js';
import type { Inbox } from './inbox.js';

/**
 * A connection to one client, as the protocol sees it: a stream of bytes, along which descriptors may travel.
 *
 * Extension point: a transport makes one for each client and calls its {@link ChannelUser}. It never calls it from inside
 * {@link send} or {@link close}.
 */
export interface Channel {
  /** Descriptors can be sent and received. */
  readonly passesDescriptors: boolean;
  /**
   * Sends `[start, end)` of the user's outbox, with a descriptor on the first byte if one is given. The descriptor stays
   * the sender's.
   *
   * @returns how many bytes were taken, which may be fewer; the user is told when it may go on ({@link ChannelUser.writable}).
   *   A negated errno if the peer is gone.
   */
  send(start: number, end: number, fd?: number): number;
  /** Ends the connection, after what was sent. The user hears nothing any more. */
  close(): void;
}

/** Stands for descriptors that were sent but could not be received, since this process has no room for more. */
export const LOST_FD = -1;

/** Whoever speaks over a channel. */
export interface ChannelUser {
  /** Where received bytes go. */
  readonly inbox: Inbox;
  /** What {@link Channel.send} sends from. */
  readonly outbox: Uint8Array;
  /** Nothing is to be received for now: what was sent has not left yet. */
  readonly paused: boolean;
  /**
   * Bytes were put into the inbox, and descriptors came with them, which are the user's from now on; {@link LOST_FD} alone if
   * they could not be received.
   */
  received(length: number, fds: readonly number[]): void;
  /** What {@link Channel.send} did not take may be sent now. */
  writable(): void;
  /** The peer is gone. */
  disconnected(): void;
}

/** Where clients come in. Disposing of it closes what listens, not the connections. */
export interface Listener extends Disposable {
  /** Accepts no client until {@link resume}; they wait. */
  pause(): void;
  resume(): void;
}

/** A kind of socket. Extension point: the Linux one passes descriptors, the plain one runs anywhere. */
export interface Transport {
  /** One line for people: what it is, and what it cannot do. */
  readonly description: string;
  readonly passesDescriptors: boolean;
  readonly descriptors: Descriptors;
  /**
   * Listens at a path.
   *
   * @param accept called for each client; what it returns uses the connection.
   * @throws VfioError EADDRINUSE if somebody listens there; what else the system refuses with.
   */
  listen(path: string, accept: (channel: Channel) => ChannelUser): Listener | Promise<Listener>;
}
