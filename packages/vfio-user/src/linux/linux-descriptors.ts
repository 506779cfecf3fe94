import { readSync, writeSync } from 'node:fs';
import { EFAULT, EIO, ENODEV } from '@vfiokit/uapi';
import type { ClientFile, Descriptors, FileWindow } from '../transport/descriptors.js';
import { FileMapping, type LentRange } from './file-mapping.js';
import type { FileIdentity, System } from './system.js';

const F_SEAL_SHRINK = 0x2;

/** How far clients are trusted with memory that they share. */
export interface MemoryTrust {
  /**
   * Map every file. A client that makes its file smaller afterwards kills the server with SIGBUS; without trust only files
   * that are sealed against that are mapped, and others are read and written. Nor is an eventfd signalled then whose counter
   * is full, which a client may have made to block the server.
   */
  readonly trusted: boolean;
}

/** Descriptors of the running system. A file is mapped once, as a whole, however many windows look into it. */
export class LinuxDescriptors implements Descriptors {
  /** What is written to an eventfd. */
  readonly #one = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0);
  readonly #file: FileIdentity = {
    isFile: false,
    isAnonymous: false,
    device: 0,
    inode: 0,
    size: 0,
  };
  readonly #mappings: FileMapping[] = [];
  readonly #unreachable: FinalizationRegistry<LentRange>;

  constructor(
    private readonly system: System,
    private readonly trust: MemoryTrust,
  ) {
    this.#unreachable = new FinalizationRegistry(({ address, length }) =>
      system.munmap(address, length),
    );
  }

  /** How many files are mapped. */
  get mapped(): number {
    return this.#mappings.length;
  }

  close(fd: number): void {
    this.system.close(fd);
  }

  isEventFd(fd: number): boolean {
    return this.system.identify(fd, this.#file) === 0 && this.#file.isAnonymous;
  }

  signal(fd: number): void {
    if (this.trust.trusted || this.system.isWritable(fd)) this.system.write(fd, this.#one);
  }

  open(fd: number, window: FileWindow): ClientFile | number {
    const { system } = this;
    const file = this.#file;
    const error = system.identify(fd, file);
    // What is no file, such as an eventfd, can't be mapped either.
    if (error < 0 || !file.isFile) return error || -ENODEV;
    const inside = window.offset + window.size <= file.size;
    if (!window.map || !inside || !this.#trusted(fd)) return new PlainFile(fd, system);
    const { writable } = window;
    const known = this.#mappings.find((mapping) => mapping.serves(file, writable));
    if (known !== undefined) known.use();
    const gone = (mapping: FileMapping) => {
      this.#mappings.splice(this.#mappings.indexOf(mapping), 1);
    };
    const mapping =
      known ??
      FileMapping.create({
        system,
        fd,
        file: { ...file },
        writable,
        unreachable: this.#unreachable,
        gone,
      });
    if (typeof mapping === 'number') return mapping;
    if (known === undefined) this.#mappings.push(mapping);
    system.close(fd);
    return mapping;
  }

  #trusted(fd: number): boolean {
    if (this.trust.trusted) return true;
    const seals = this.system.seals(fd);
    return seals >= 0 && (seals & F_SEAL_SHRINK) !== 0;
  }
}

/** A file that is read and written: windows past its end, and files that must not be mapped. */
class PlainFile implements ClientFile {
  constructor(
    private readonly fd: number,
    private readonly system: System,
  ) {}

  read(offset: number, into: Uint8Array): number {
    return all(into.length, () => readSync(this.fd, into, 0, into.length, offset));
  }

  write(offset: number, from: Uint8Array): number {
    return all(from.length, () => writeSync(this.fd, from, 0, from.length, offset));
  }

  view(): undefined {
    return undefined;
  }

  release(): void {
    this.system.close(this.fd);
  }
}

/** 0 if everything was moved; `-EFAULT` past the end of the file, or what the system says. */
function all(length: number, move: () => number): number {
  try {
    return move() === length ? 0 : -EFAULT;
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    return errno ?? -EIO;
  }
}
