import {
  type DmaBufFile,
  EFAULT,
  EINVAL,
  ENODEV,
  ENOMEM,
  type Process,
  type UserMapping,
} from '@vfiokit/uapi';
import type { DmaHit } from '../hardware/dma.js';
import type { FaultInjection } from '../memory/fault-injection.js';
import type { LockedByUser } from '../memory/locked-by-user.js';
import type { MemFile } from '../memory/mem-file.js';
import { locate, pin } from '../memory/pinned-memory.js';
import { PageCoverage } from './page-coverage.js';

/** Where pages come from. */
export type IoSource =
  | { readonly type: 'user'; readonly process: Process; readonly address: number }
  | { readonly type: 'file'; readonly file: MemFile; readonly address: number }
  | { readonly type: 'dma-buf'; readonly buffer: DmaBufFile; readonly memory: UserMapping };

/**
 * How pinned pages are counted: by user against the user's processes' limit, by process as type1 does, or not at all
 * (CAP_IPC_LOCK, device memory).
 */
export type AccountMode = 'user' | 'mm' | 'none';

/** What an iommufd shares among the pages of all its address spaces. */
export interface PagesHost {
  readonly pageSize: number;
  readonly users: LockedByUser;
  readonly faults: FaultInjection;
}

/**
 * Memory that areas lead to, of one or of several address spaces: it is pinned and counted once (pages.c: struct
 * iopt_pages). Offsets are bytes from its start.
 */
export class IoPages {
  readonly #coverage = new PageCoverage();
  #memory: readonly UserMapping[] = [];
  #charged = 0;
  #payer: Process;

  constructor(
    private readonly host: PagesHost,
    readonly source: IoSource,
    readonly length: number,
    readonly writable: boolean,
    payer: Process,
    private readonly mode: AccountMode,
  ) {
    this.#payer = payer;
  }

  /** Where offset 0 is: a user's address, or a place in a file. */
  get address(): number {
    return this.source.type === 'dma-buf' ? this.source.memory.address : this.source.address;
  }

  /** Who pays for it. */
  get payer(): Process {
    return this.#payer;
  }

  /** Bytes that count as locked. */
  get charged(): number {
    return this.#charged;
  }

  /**
   * Pins `[from, to)` and counts what was not pinned before.
   *
   * @returns 0; `-EFAULT` (no such memory, or a device's, or its process has gone), `-ENOMEM`, `-ENODEV` (a revoked
   * buffer). Nothing has changed then.
   */
  pin(from: number, to: number): number {
    if (!this.host.faults.allocates()) return -ENOMEM;
    const found = this.#find(from, to);
    if (typeof found === 'number') return found;
    const [first, end] = this.#pages(from, to);
    this.#coverage.add(first, end);
    const result = this.#charge(this.#payer);
    if (result !== 0) {
      this.#coverage.delete(first, end);
      return result;
    }
    if (!found.every((mapping) => this.#memory.includes(mapping)))
      this.#memory = [...new Set([...this.#memory, ...found])];
    return 0;
  }

  /** The opposite, of exactly such a range. */
  unpin(from: number, to: number): void {
    this.#coverage.delete(...this.#pages(from, to));
    this.#charge(this.#payer);
    if (this.#coverage.empty) this.#memory = [];
  }

  /** Another process pays from now on: 0 or `-ENOMEM`. */
  chargeTo(process: Process): number {
    if (process === this.#payer || this.mode === 'none') return 0;
    const bytes = this.#charged;
    if (!this.#lock(process, bytes)) return -ENOMEM;
    this.#lock(this.#payer, -bytes);
    this.#payer = process;
    return 0;
  }

  /** Points a hit to a byte; false if it can't be reached now. */
  locate(offset: number, length: number, hit: DmaHit): boolean {
    if (this.source.type === 'dma-buf' && this.source.buffer.revoked) return false;
    return locate(this.#memory, this.address + offset, length, hit);
  }

  /** Memory that the kernel copies from or to, without pinning; a negated errno if it cannot. */
  resolve(from: number, to: number): readonly UserMapping[] | number {
    return this.source.type === 'dma-buf' ? -EINVAL : this.#find(from, to);
  }

  #find(from: number, to: number): readonly UserMapping[] | number {
    const { source } = this;
    switch (source.type) {
      case 'dma-buf':
        return source.buffer.revoked ? -ENODEV : [source.memory];
      case 'file':
        return [source.file.memory];
      case 'user': {
        // What is pinned stays within reach when its process has gone.
        if (this.#coverage.holds(...this.#pages(from, to))) return this.#memory;
        if (source.process.exited) return -EFAULT;
        const start = source.address + from;
        const found = pin(source.process.memory, start, to - from, this.writable);
        if (found.bytes < to - from) return -EFAULT;
        return found.mappings.some(({ deviceMemory }) => deviceMemory) ? -EFAULT : found.mappings;
      }
    }
  }

  /** The pages that a range touches, as they lie in memory. */
  #pages(from: number, to: number): [first: number, end: number] {
    const { pageSize } = this.host;
    const { address } = this;
    return [Math.floor((address + from) / pageSize), Math.ceil((address + to) / pageSize)];
  }

  /** Counts what is pinned now; 0, or `-ENOMEM` with the count as it was. */
  #charge(process: Process): number {
    if (this.mode === 'none') return 0;
    const bytes = this.#coverage.pages * this.host.pageSize;
    if (!this.#lock(process, bytes - this.#charged)) return -ENOMEM;
    this.#charged = bytes;
    return 0;
  }

  #lock(process: Process, bytes: number): boolean {
    const { users, pageSize } = this.host;
    const { uid, memlock } = process.credentials;
    const counted = this.mode === 'user' ? users.of(uid) : process.lockedBytes;
    const limit = Math.floor(memlock / pageSize) * pageSize;
    if (bytes > 0 && counted + bytes > limit) return false;
    if (this.mode === 'user') users.add(uid, bytes);
    else process.lockedBytes += bytes;
    return true;
  }
}
