import { lstatSync, type Stats, unlinkSync } from 'node:fs';
import { EACCES, EADDRINUSE, EAGAIN, ENOENT, ENOTDIR, errnoName, VfioError } from '@vfiokit/uapi';
import type { SharedMemory } from '../session/regions.js';
import type { Channel, ChannelUser, Listener, Transport } from '../transport/channel.js';
import { LinuxDescriptors, type MemoryTrust } from './linux-descriptors.js';
import type { System } from './system.js';
import { type Company, UnixChannel, type Waiting } from './unix-channel.js';

const BACKLOG = 16;
/** How long a client waits that could not be accepted, for want of a descriptor, until it is tried again. */
const RETRY_MILLISECONDS = 100;
/** struct sockaddr_un has 108, the last of which is NUL. */
const LONGEST_PATH = 107;
/** Only the user who serves may connect. */
const SOCKET_UMASK = 0o177;
const MFD_CLOEXEC = 0x1;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;

/** Both have defaults: 50 µs of trying before a receive sleeps, and trust. */
export interface UnixTransportOptions extends Partial<Waiting>, Partial<MemoryTrust> {}

const SPIN_MICROSECONDS = 50;

/** What connect(2) says where a socket is that nobody listens at. */
const ECONNREFUSED = 111;

const HINTS: ReadonlyMap<number, string> = new Map([
  [-ENOENT, '; make its folder first'],
  [-ENOTDIR, '; choose a path in a folder'],
  [-EACCES, '; choose a folder that you may write to'],
]);

/** UNIX stream sockets that pass descriptors, by system calls. */
export class UnixTransport implements Transport, Company {
  readonly description = 'UNIX socket with descriptors';
  readonly passesDescriptors = true;
  readonly descriptors: LinuxDescriptors;
  readonly #waiting: Waiting;
  #connections = 0;

  constructor(
    private readonly system: System,
    options: UnixTransportOptions = {},
  ) {
    this.#waiting = { spin: options.spin ?? SPIN_MICROSECONDS };
    this.descriptors = new LinuxDescriptors(system, { trusted: options.trusted ?? true });
  }

  /** Connections of all listeners. */
  get connections(): number {
    return this.#connections;
  }

  listen(path: string, accept: (channel: Channel) => ChannelUser): Listener {
    const { length } = Buffer.from(path);
    if (length === 0 || length > LONGEST_PATH)
      throw new VfioError(
        'EINVAL',
        `${path || 'the socket'}: a path of ${length} bytes; sockets take 1 to ${LONGEST_PATH}`,
      );
    let fd = this.#bind(path);
    if (fd === -EADDRINUSE) {
      this.#removeStale(path);
      fd = this.#bind(path);
    }
    if (fd < 0)
      throw VfioError.fromErrno(
        fd,
        `${path}: can't listen: ${errnoName(fd)}${HINTS.get(fd) ?? '; choose another path'}`,
      );
    return new UnixListener(this.system, path, fd, (client) => this.#connect(client, accept));
  }

  #bind(path: string): number {
    const umask = process.umask(SOCKET_UMASK);
    const fd = this.system.listen(path, BACKLOG);
    process.umask(umask);
    return fd;
  }

  /**
   * Memory for a device that its clients map: a file without a name, and its bytes here. It stays as long as the process.
   *
   * @throws VfioError ENOMEM and what else the system refuses with.
   */
  createMemory(size: number): SharedMemory {
    const { system } = this;
    const fd = system.memfdCreate('vfiokit', MFD_CLOEXEC);
    if (fd < 0) throw VfioError.fromErrno(fd, `device memory: no file for it: ${errnoName(fd)}`);
    const error = system.ftruncate(fd, size);
    const address = error < 0 ? error : system.mmap(0, size, PROT_READ_WRITE, MAP_SHARED, fd, 0);
    if (address < 0) {
      system.close(fd);
      throw VfioError.fromErrno(address, `device memory: no room for ${size} bytes`);
    }
    return { fd, offset: 0, bytes: system.view(address, size) };
  }

  #connect(fd: number, accept: (channel: Channel) => ChannelUser): void {
    this.#connections += 1;
    const over = () => {
      this.#connections -= 1;
    };
    const channel = new UnixChannel(this.system, fd, this, this.#waiting, over);
    channel.start(accept(channel));
  }

  /** A socket that a server left behind when it was killed is in the way of the next one. */
  #removeStale(path: string): void {
    const there = look(path);
    if (there === undefined) return;
    if (!there.isSocket())
      throw new VfioError('EADDRINUSE', `${path}: is there, and no socket; choose another path`);
    const other = this.system.connect(path);
    if (other >= 0) this.system.close(other);
    if (other === -EACCES)
      throw new VfioError('EADDRINUSE', `${path}: another user's socket; choose another path`);
    // A server that is too busy for another client is one that listens.
    if (other !== -ECONNREFUSED)
      throw new VfioError('EADDRINUSE', `${path}: somebody listens there; choose another path`);
    try {
      unlinkSync(path);
    } catch (cause) {
      const { code, errno = -EADDRINUSE } = cause as NodeJS.ErrnoException;
      const message = `${path}: a server that is gone left it, and it can't be removed: ${code}; choose another path`;
      throw VfioError.fromErrno(errno, message, { cause });
    }
  }
}

/** What stands at a path; nothing, too, where that can't be known. */
function look(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch {
    return undefined;
  }
}

class UnixListener implements Listener {
  #unwatch: (() => void) | undefined;
  /** The socket, which somebody may put another one in the place of. */
  readonly #own: Stats | undefined;
  #retry: NodeJS.Timeout | undefined;

  constructor(
    private readonly system: System,
    private readonly path: string,
    private readonly fd: number,
    private readonly connected: (fd: number) => void,
  ) {
    this.#own = look(path);
    this.resume();
  }

  pause(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
    clearTimeout(this.#retry);
  }

  resume(): void {
    this.#unwatch ??= this.system.watch(this.fd, 'readable', () => {
      const client = this.system.accept(this.fd);
      if (client >= 0) this.connected(client);
      else if (client !== -EAGAIN) this.#wait();
    });
  }

  /** The client is still there, and would be reported again and again. */
  #wait(): void {
    this.pause();
    this.#retry = setTimeout(() => this.resume(), RETRY_MILLISECONDS);
  }

  [Symbol.dispose](): void {
    this.pause();
    // While this one is open, no other socket gets its number.
    const there = look(this.path);
    this.system.close(this.fd);
    if (there === undefined || there.ino !== this.#own?.ino || there.dev !== this.#own.dev) return;
    try {
      unlinkSync(this.path);
    } catch (cause) {
      const { code, errno = -EACCES } = cause as NodeJS.ErrnoException;
      const message = `${this.path}: can't be removed: ${code}; remove it yourself`;
      throw VfioError.fromErrno(errno, message, { cause });
    }
  }
}
