import koffi from 'koffi';

const libc = koffi.load(null);
const AF_UNIX = 1;
/** SOCK_STREAM, and closed in the servers that are started later. */
const STREAM_CLOEXEC = 0x80001;

/** The few calls that a client and an echo need; they block. */
export const calls = {
  recv: libc.func('recv', 'int', ['int', 'void *', 'int64', 'int']),
  send: libc.func('send', 'int', ['int', 'void *', 'int64', 'int']),
  sendmsg: libc.func('sendmsg', 'int', ['int', 'void *', 'int']),
  memfdCreate: libc.func('memfd_create', 'int', ['str', 'uint']),
  ftruncate: libc.func('ftruncate', 'int', ['int', 'int64']),
  close: libc.func('close', 'int', ['int']),
} as const;

const CPU_SET = 128;
const affinity = (name: 'sched_getaffinity' | 'sched_setaffinity') =>
  libc.func(name, 'int', ['int', 'int64', 'void *']);
const getAffinity = affinity('sched_getaffinity');
const setAffinity = affinity('sched_setaffinity');

/** The processors that this thread may run on. */
export function processors(): readonly number[] {
  const set = new Uint8Array(CPU_SET);
  getAffinity(0, CPU_SET, set);
  return Array.from({ length: 8 * CPU_SET }, (_, cpu) => cpu).filter(
    (cpu) => (set[cpu >> 3]! >> (cpu & 7)) & 1,
  );
}

/** Keeps this thread, and what it starts from now on, to some processors. */
export function runOn(...cpus: readonly number[]): void {
  const set = new Uint8Array(CPU_SET);
  for (const cpu of cpus) set[cpu >> 3]! |= 1 << (cpu & 7);
  setAffinity(0, CPU_SET, set);
}

const socket = libc.func('socket', 'int', ['int', 'int', 'int']);
const use = (name: 'bind' | 'connect') => libc.func(name, 'int', ['int', 'void *', 'int']);
const bind = use('bind');
const connect = use('connect');
const listen = libc.func('listen', 'int', ['int', 'int']);
const accept = libc.func('accept', 'int', ['int', 'int64', 'int64']);

function addressOf(path: string): Uint8Array {
  const bytes = new Uint8Array(110);
  bytes[0] = AF_UNIX;
  bytes.set(new TextEncoder().encode(path), 2);
  return bytes;
}

/** A connection to a path, or a negative number. */
export function connectTo(path: string): number {
  const fd: number = socket(AF_UNIX, STREAM_CLOEXEC, 0);
  return connect(fd, addressOf(path), 110) === 0 ? fd : -1;
}

/** Waits for one client at a path. */
export function acceptAt(path: string): number {
  const fd: number = socket(AF_UNIX, STREAM_CLOEXEC, 0);
  bind(fd, addressOf(path), 110);
  listen(fd, 1);
  return accept(fd, 0, 0);
}

/** The address of bytes, for structures that hold one. */
export const addressOfBytes = (bytes: Uint8Array): bigint => koffi.address(bytes);
