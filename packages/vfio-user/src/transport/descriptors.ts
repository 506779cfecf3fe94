import { EBADF, EFAULT, ENODEV } from '@vfiokit/uapi';

/** Memory of a client that can be reached without asking it. Offsets count from the start of its file. */
export interface ClientFile {
  /** 0 or a negated errno. */
  read(offset: number, into: Uint8Array): number;
  /** 0 or a negated errno. */
  write(offset: number, from: Uint8Array): number;
  /** The bytes themselves, without copying; `undefined` where they are not mapped, or not in one piece. */
  view(offset: number, length: number): Uint8Array | undefined;
  /** One window less looks into it. */
  release(): void;
}

/** What is wanted of a client's file. */
export interface FileWindow {
  readonly offset: number;
  readonly size: number;
  readonly writable: boolean;
  /** Map it; otherwise it is read and written. */
  readonly map: boolean;
}

/** What the system does with received descriptors. Extension point of transports: the Linux one has real ones. */
export interface Descriptors {
  close(fd: number): void;
  /** Whether a descriptor may be an eventfd; the kernel binds interrupts to nothing else. */
  isEventFd(fd: number): boolean;
  /** Adds 1 to an eventfd. */
  signal(fd: number): void;
  /**
   * Makes memory of a file. It takes the descriptor over if it succeeds.
   *
   * @returns the memory, or the negated errno that mapping it fails with; `-ENODEV` for what is no memory.
   */
  open(fd: number, window: FileWindow): ClientFile | number;
}

/** Descriptors for transports that pass none. */
export const NO_DESCRIPTORS: Descriptors = {
  close() {},
  isEventFd: () => false,
  signal() {},
  open: () => -EBADF,
};

/** Something that a descriptor of {@link MemoryDescriptors} stands for: a file's bytes, or an eventfd's counter. */
export type MemoryFile = { bytes: Uint8Array } | { count: number };

/** Descriptors of files that live in this process: for tests, and for clients in the same process. */
export class MemoryDescriptors implements Descriptors {
  readonly #open = new Map<number, MemoryFile>();
  #next = 100;

  /** How many are open. */
  get size(): number {
    return this.#open.size;
  }

  /** A new descriptor of a file; several may stand for the same one. */
  install(file: MemoryFile): number {
    this.#next += 1;
    this.#open.set(this.#next, file);
    return this.#next;
  }

  get(fd: number): MemoryFile | undefined {
    return this.#open.get(fd);
  }

  close(fd: number): void {
    if (!this.#open.delete(fd)) throw new Error(`descriptor ${fd}: closed twice`);
  }

  isEventFd(fd: number): boolean {
    const file = this.#open.get(fd);
    return file !== undefined && 'count' in file;
  }

  signal(fd: number): void {
    const file = this.#open.get(fd);
    if (file !== undefined && 'count' in file) file.count += 1;
  }

  open(fd: number, _window: FileWindow): ClientFile | number {
    const file = this.#open.get(fd);
    if (file === undefined) return -EBADF;
    if (!('bytes' in file)) return -ENODEV;
    const { bytes } = file;
    // A window may be larger than its file.
    const inside = (offset: number, length: number) => offset + length <= bytes.length;
    return {
      read(offset, into) {
        if (!inside(offset, into.length)) return -EFAULT;
        into.set(bytes.subarray(offset, offset + into.length));
        return 0;
      },
      write(offset, from) {
        if (!inside(offset, from.length)) return -EFAULT;
        bytes.set(from, offset);
        return 0;
      },
      view: (offset, length) =>
        inside(offset, length) ? bytes.subarray(offset, offset + length) : undefined,
      release: () => this.close(fd),
    };
  }
}
