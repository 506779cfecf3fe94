import { EBADF, EINVAL, EMFILE } from './errno.js';
import { EventFd } from './event-fd.js';
import type { VfioFile } from './file.js';
import { UserMemory } from './user-memory.js';

/** The descriptors of a process. A number stands for an open file; several may stand for the same one. */
export class FdTable {
  readonly #files = new Map<number, VfioFile>();

  /** @param limit how many descriptors there may be (RLIMIT_NOFILE). */
  constructor(private readonly limit = 1 << 20) {}

  /** Gives a file the lowest free number from `from` on; `-EMFILE` at the limit. */
  install(file: VfioFile, from = 3): number {
    let fd = from;
    while (this.#files.has(fd)) fd += 1;
    if (fd >= this.limit) return -EMFILE;
    this.#files.set(fd, file);
    return fd;
  }

  /** Gives a file this very number, closing what stood there (dup2). */
  set(fd: number, file: VfioFile): void {
    if (this.#files.get(fd) === file) return;
    this.close(fd);
    this.#files.set(fd, file);
  }

  /** The open file behind a number. */
  get(fd: number): VfioFile | undefined {
    return this.#files.get(fd);
  }

  /** The eventfd behind a number (eventfd_ctx_fdget): `-EBADF` if it is not open, `-EINVAL` if it is something else. */
  eventFd(fd: number): EventFd | number {
    const file = this.#files.get(fd);
    if (file === undefined) return -EBADF;
    return file instanceof EventFd ? file : -EINVAL;
  }

  /** Closes a number, and the file with its last one; `-EBADF` if it is not open. */
  close(fd: number): number {
    const file = this.#files.get(fd);
    if (file === undefined) return -EBADF;
    this.#files.delete(fd);
    for (const other of this.#files.values()) if (other === file) return 0;
    file.close();
    return 0;
  }

  /** Closes everything in descending order of numbers, as a process that exits does at some point. */
  closeAll(): void {
    for (const fd of [...this.#files.keys()].sort((a, b) => b - a)) this.close(fd);
  }
}

/** What a process may do and how much; changed by the one who models it. */
export interface Credentials {
  /** CAP_IPC_LOCK: no limit on locked memory. */
  ipcLock: boolean;
  /** CAP_SYS_RAWIO: may use devices without an IOMMU. */
  sysRawio: boolean;
  /** CAP_SYS_RESOURCE: may choose how iommufd counts locked memory. */
  sysResource: boolean;
  /** Whose process it is: iommufd counts locked memory by user. */
  uid: number;
  /** RLIMIT_MEMLOCK in bytes. */
  memlock: number;
}

/** A user-space process as the kernel meets it in a system call: its descriptors, its memory, its rights. */
export class Process {
  readonly fds = new FdTable();
  readonly memory = new UserMemory();
  readonly credentials: Credentials;
  /** Bytes of memory locked so far (mm->locked_vm). */
  lockedBytes = 0;
  #exited = false;

  constructor(credentials: Partial<Credentials> = {}) {
    this.credentials = {
      ipcLock: true,
      sysRawio: true,
      sysResource: true,
      uid: 0,
      memlock: 8 << 20,
      ...credentials,
    };
  }

  /** It has exited: nobody's memory any more (no mm). */
  get exited(): boolean {
    return this.#exited;
  }

  /** exit(2): all descriptors are closed. */
  exit(): void {
    this.fds.closeAll();
    this.#exited = true;
  }
}
