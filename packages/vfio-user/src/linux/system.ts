import { getWide } from '../protocol/header.js';

/** The few C functions that Node has no name for, called without a compiler. Addresses are numbers; results are negated errnos. */
export interface System {
  /** socket(2), bind(2) and listen(2) at a path of the file system: a descriptor. */
  listen(path: string, backlog: number): number;
  accept(fd: number): number;
  /** connect(2) to a path: a descriptor that does not block. */
  connect(path: string): number;
  /** @param message a struct msghdr. */
  recvmsg(fd: number, message: Uint8Array, flags: number): number;
  /** @param message a struct msghdr. */
  sendmsg(fd: number, message: Uint8Array, flags: number): number;
  /** Sends the first bytes of a buffer. */
  send(fd: number, bytes: Uint8Array, length: number, flags: number): number;
  write(fd: number, bytes: Uint8Array): number;
  close(fd: number): number;
  /** Whether a write would not block now. */
  isWritable(fd: number): boolean;
  /** How long a receive and a send may block, in microseconds. */
  setTimeouts(fd: number, receive: number, send: number): void;
  /** Lets others run who wait for this processor. */
  schedYield(): void;
  /** Nanoseconds of a clock that does not jump, modulo 10^9. */
  ticks(): number;
  /** The address, or a negated errno. */
  mmap(
    address: number,
    length: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number,
  ): number;
  munmap(address: number, length: number): number;
  memfdCreate(name: string, flags: number): number;
  ftruncate(fd: number, length: number): number;
  /** What a descriptor stands for, filled into `into`: 0 or a negated errno. */
  identify(fd: number, into: FileIdentity): number;
  /** F_GET_SEALS */
  seals(fd: number): number;
  /** The address of bytes that live outside of the JavaScript heap. */
  addressOf(bytes: Uint8Array): number;
  /** Bytes at an address, 1 GiB at most. */
  view(address: number, length: number): Uint8Array;
  /** Calls back from the event loop while a descriptor is ready; the returned function ends it. The descriptor blocks afterwards. */
  watch(fd: number, what: 'readable' | 'writable', ready: () => void): () => void;
}

/** Which file it is. */
export interface FileIdentity {
  isFile: boolean;
  /** Of no type that a file system knows, as eventfds are. */
  isAnonymous: boolean;
  device: number;
  inode: number;
  /** Bytes. */
  size: number;
}

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0x80000;
const SOCK_NONBLOCK = 0x800;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SO_SNDTIMEO = 21;
const CLOCK_MONOTONIC = 1;
const F_GET_SEALS = 1034;
const FIONBIO = 0x5421;
const AT_EMPTY_PATH = 0x1000;
// struct statx, which is the same on every architecture.
const STATX_TYPE_INO_SIZE = 0x301;
const STATX_MODE = 28;
const STATX_INO = 32;
const STATX_FILE_SIZE = 40;
const STATX_DEV_MAJOR = 136;
const STATX_DEV_MINOR = 140;
const STATX_SIZE = 256;
const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
/** Minor numbers take 20 bits. */
const MINORS = 2 ** 20;
const POLLOUT = 0x4;
const SUN_PATH = 108;
const MICROSECONDS = 1_000_000;

/**
 * Loads the system calls.
 *
 * @returns `undefined` elsewhere than on Linux, or where koffi, an optional dependency, is not installed or does not load.
 */
export async function loadSystem(): Promise<System | undefined> {
  if (process.platform !== 'linux') return undefined;
  try {
    const { default: koffi } = await import('koffi');
    return makeSystem(koffi);
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}

function makeSystem(koffi: typeof import('koffi').default): System {
  const libc = koffi.load(null);
  const I = 'int';
  const L = 'int64';
  const P = 'void *';
  const bind = (name: string, result: string, ...args: string[]) => libc.func(name, result, args);
  const socket = bind('socket', I, I, I, I);
  const bindTo = bind('bind', I, I, L, I);
  const listen = bind('listen', I, I, I);
  const connect = bind('connect', I, I, L, I);
  const accept4 = bind('accept4', I, I, L, L, I);
  // Pointers are handed over as arrays: an address as a number would be a new object in every call.
  const recvmsg = bind('recvmsg', I, I, P, I);
  const sendmsg = bind('sendmsg', I, I, P, I);
  const send = bind('send', I, I, P, L, I);
  const write = bind('write', I, I, P, L);
  const close = bind('close', I, I);
  const poll = bind('poll', I, P, L, I);
  const setsockopt = bind('setsockopt', I, I, I, I, L, I);
  const schedYield = bind('sched_yield', I);
  const clockGettime = bind('clock_gettime', I, I, P);
  const mmap = bind('mmap', L, L, L, I, I, I, L);
  const munmap = bind('munmap', I, L, L);
  const memfdCreate = bind('memfd_create', I, 'str', 'uint');
  const ftruncate = bind('ftruncate', I, I, L);
  const statx = bind('statx', I, I, P, I, 'uint', P);
  const ioctl = bind('ioctl', I, I, L, P);
  const fcntl = bind('fcntl', I, I, I, I);

  const checked = (result: number): number => (result === -1 ? -koffi.errno() : result);
  const addressOf = (bytes: Uint8Array): number => Number(koffi.address(bytes));
  // Scratch memory that never moves: an address of a socket, a pair of 64-bit integers.
  const scratch = new Uint8Array(new ArrayBuffer(2 + SUN_PATH));
  const scratchView = new DataView(scratch.buffer);
  const at = addressOf(scratch);
  const zero = new Uint8Array(4);
  const stat = new Uint8Array(new ArrayBuffer(STATX_SIZE));
  const statView = new DataView(stat.buffer);
  const clock = new Uint8Array(new ArrayBuffer(16));
  const clockView = new DataView(clock.buffer);

  // struct pollfd: a descriptor, what is asked of it, and the answer.
  const pollFd = new Uint8Array(new ArrayBuffer(8));
  const pollView = new DataView(pollFd.buffer);

  const unixAddress = (path: string): number => {
    const bytes = new TextEncoder().encode(path);
    if (bytes.length >= SUN_PATH) return -1;
    scratch.fill(0);
    scratchView.setUint16(0, AF_UNIX, true);
    scratch.set(bytes, 2);
    return scratch.length;
  };
  const unixSocket = (path: string, use: (fd: number, size: number) => number): number => {
    const fd = checked(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (fd < 0) return fd;
    const result = use(fd, unixAddress(path));
    if (result < 0) close(fd);
    return result;
  };

  return {
    listen: (path, backlog) =>
      unixSocket(path, (fd, size) => {
        const error = checked(bindTo(fd, at, size));
        return error < 0 ? error : checked(listen(fd, backlog)) || fd;
      }),
    accept: (fd) => checked(accept4(fd, 0, 0, SOCK_CLOEXEC)),
    connect: (path) => unixSocket(path, (fd, size) => checked(connect(fd, at, size)) || fd),
    recvmsg: (fd, message, flags) => checked(recvmsg(fd, message, flags)),
    sendmsg: (fd, message, flags) => checked(sendmsg(fd, message, flags)),
    send: (fd, bytes, length, flags) => checked(send(fd, bytes, length, flags)),
    write: (fd, bytes) => checked(write(fd, bytes, bytes.length)),
    close: (fd) => checked(close(fd)),
    isWritable(fd) {
      pollView.setInt32(0, fd, true);
      pollView.setInt16(4, POLLOUT, true);
      return poll(pollFd, 1, 0) === 1 && (pollView.getInt16(6, true) & POLLOUT) !== 0;
    },
    setTimeouts(fd, receive, sending) {
      for (const [option, time] of [
        [SO_RCVTIMEO, receive],
        [SO_SNDTIMEO, sending],
      ] as const) {
        scratchView.setBigInt64(0, BigInt(Math.floor(time / MICROSECONDS)), true);
        scratchView.setBigInt64(8, BigInt(time % MICROSECONDS), true);
        setsockopt(fd, SOL_SOCKET, option, at, 16);
      }
    },
    schedYield: () => schedYield(),
    ticks() {
      clockGettime(CLOCK_MONOTONIC, clock);
      return clockView.getUint32(8, true);
    },
    mmap: (address, length, protection, flags, fd, offset) =>
      checked(mmap(address, length, protection, flags, fd, offset)),
    munmap: (address, length) => checked(munmap(address, length)),
    memfdCreate: (name, flags) => checked(memfdCreate(name, flags)),
    ftruncate: (fd, length) => checked(ftruncate(fd, length)),
    identify(fd, into) {
      const error = checked(statx(fd, zero, AT_EMPTY_PATH, STATX_TYPE_INO_SIZE, stat));
      if (error < 0) return error;
      const type = statView.getUint16(STATX_MODE, true) & S_IFMT;
      into.isFile = type === S_IFREG;
      into.isAnonymous = type === 0;
      into.device =
        statView.getUint32(STATX_DEV_MAJOR, true) * MINORS +
        statView.getUint32(STATX_DEV_MINOR, true);
      into.inode = getWide(statView, STATX_INO);
      into.size = getWide(statView, STATX_FILE_SIZE);
      return 0;
    },
    seals: (fd) => checked(fcntl(fd, F_GET_SEALS, 0)),
    addressOf,
    view: (address, length) => new Uint8Array(koffi.view(BigInt(address), length)),
    watch(fd, what, ready) {
      const handle = koffi.node.poll(fd, { [what]: true }, ready);
      return () => {
        handle.stop();
        handle.close();
        // The event loop switched blocking off, for good and for everybody.
        ioctl(fd, FIONBIO, zero);
      };
    },
  };
}
