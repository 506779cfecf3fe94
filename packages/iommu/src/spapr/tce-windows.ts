import { EFAULT, EINVAL, ENOMEM, ENOSPC, EPERM, type Process } from '@vfiokit/uapi';
import type { IommuParameters } from '../container/parameters.js';
import type { TcePlatform } from '../hardware/tce-platform.js';
import { lockBytes, unlockBytes } from '../memory/locked-memory.js';
import { TceTable } from './tce-table.js';

/** Windows that a container can have (IOMMU_TABLE_GROUP_MAX_TABLES). */
const TABLES_MAX = 2;

/** A window that is asked for. */
export interface WindowShape {
  readonly pageShift: number;
  /** Bytes. */
  readonly size: number;
  /** Of its table. */
  readonly levels: number;
}

/** The DMA windows of a container, each with its table, and who pays for that. */
export class TceWindows {
  /** By slot: the 32-bit one, the high one. */
  readonly tables: (TceTable | undefined)[] = Array.from({ length: TABLES_MAX }, () => undefined);
  /** The process that each table counts for. */
  readonly #payers = new Map<TceTable, Process>();
  #defaultPromised = false;

  /**
   * @param platform the one of the container's groups, while it has any.
   * @param clear clears all entries of a table.
   */
  constructor(
    private readonly parameters: IommuParameters,
    private readonly platform: () => TcePlatform | undefined,
    private readonly clear: (table: TceTable) => void,
  ) {}

  /** The first group has come: there will be the default window as soon as somebody needs it. */
  promiseDefault(): void {
    if (this.tables[0] === undefined) this.#defaultPromised = true;
  }

  /** Builds the default window if it is still only promised; 0, or what building fails with. */
  buildDefault(payer: Process): number {
    const platform = this.platform();
    if (!this.#defaultPromised || platform === undefined) return 0;
    const { size, pageShift } = platform.dma32;
    const table = this.#build(0, { size, pageShift, levels: 1 }, payer, true);
    if (typeof table === 'number') return table;
    this.#defaultPromised = false;
    return 0;
  }

  /**
   * Makes a window in the first free slot, whose place is the platform's to say. The default window comes first.
   *
   * @returns its table; `-ENOSPC` (there are as many as there can be), `-EINVAL` (page, size or levels), `-EPERM` (the
   * platform does not make it again), `-ENOMEM` (locked memory), or what building the default window fails with.
   */
  create(shape: WindowShape, payer: Process): TceTable | number {
    const pending = this.buildDefault(payer);
    if (pending !== 0) return pending;
    const slot = this.tables.indexOf(undefined);
    if (slot === -1) return -ENOSPC;
    const { pageSizes = 0 } = this.platform() ?? {};
    if (shape.pageShift > 31 || !(pageSizes & (1 << shape.pageShift))) return -EINVAL;
    return this.#build(slot, shape, payer, false);
  }

  /** Removes the window at an address, or takes the promise of the default one back: 0, or `-EINVAL` if there is none. */
  remove(address: number): number {
    if (this.#defaultPromised && address === 0) {
      this.#defaultPromised = false;
      return 0;
    }
    const slot = this.tables.findIndex((table) =>
      this.parameters.quirks.windowByContainment ? table?.holds(address) : table?.start === address,
    );
    if (slot === -1) return -EINVAL;
    this.#free(slot);
    return 0;
  }

  /** The table whose window holds an address. */
  holding(address: number): TceTable | undefined {
    return this.tables.find((table) => table?.holds(address));
  }

  clearAll(): void {
    for (const table of this.tables) if (table) this.clear(table);
  }

  removeAll(): void {
    for (const slot of this.tables.keys()) this.#free(slot);
  }

  #build(
    slot: number,
    { pageShift, size, levels }: WindowShape,
    payer: Process,
    isDefault: boolean,
  ): TceTable | number {
    const platform = this.platform();
    if (platform === undefined) return -EFAULT;
    const powerOfTwo = size > 0 && 2 ** Math.round(Math.log2(size)) === size;
    if (levels < 1 || levels > platform.levels || !powerOfTwo || size < 2 ** pageShift)
      return -EINVAL;
    if (slot === 0 && !isDefault && !platform.recreatesDefault) return -EPERM;
    const start = slot === 0 ? platform.dma32.start : platform.secondStart;
    const table = new TceTable({ start, pageShift, size, levels });
    const { pageSize } = this.parameters;
    if (!lockBytes(payer, payer.credentials.ipcLock, this.#locked(table), pageSize)) return -ENOMEM;
    this.#payers.set(table, payer);
    this.tables[slot] = table;
    return table;
  }

  #free(slot: number): void {
    const table = this.tables[slot];
    if (table === undefined) return;
    this.clear(table);
    const payer = this.#payers.get(table);
    if (payer) unlockBytes(payer, this.#locked(table));
    this.#payers.delete(table);
    this.tables[slot] = undefined;
  }

  /** What the table itself takes, in whole pages. */
  #locked({ tableBytes }: TceTable): number {
    const { pageSize } = this.parameters;
    return Math.ceil(tableBytes / pageSize) * pageSize;
  }
}
