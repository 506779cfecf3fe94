import { AddressSpace } from './address-space.js';
import { GuestTceTable } from './guest-tce-table.js';
import type { MemorySection } from './memory-region.js';
import type { PaprTceHypercalls } from './papr-hypercalls.js';

const RTAS_SUCCESS = 0;
const RTAS_HARDWARE = -1;
const RTAS_PARAMETER = -3;

const LIOBN_BASE = 0x8000_0000;
const TABLES = 2;
const DEFAULT_PAGE_SHIFT = 12;
const DMA64_START = 0x800_0000_0000_0000;
const MSI_START = 0x400_0000_0000;
const MSI_SIZE = 0x10000;
/** Most entries of a new window's table. */
const LARGEST_BLOCK = 0x8000_0000;
/** Page shifts by bit of the mask that ibm,query-pe-dma-window returns (PAPR 7.3.31). */
const PAGE_SHIFTS = [12, 16, 24, 25, 26, 27, 28, 34] as const;

/** What a bridge is made with; as QEMU's `spapr-pci-host-bridge` unless told. */
export interface PaprHostBridgeOptions {
  readonly index: number;
  /** The default window: bytes from bus address 0. */
  readonly windowSize?: number;
  /** The guest can make windows itself. */
  readonly ddw?: boolean;
  /** Page sizes that it may use, as a bitmap. */
  readonly pageSizes?: number;
}

interface Window {
  readonly table: GuestTceTable;
  readonly section: MemorySection;
}

/**
 * A PAPR guest's PCI host bridge (QEMU's hw/ppc/spapr_pci.c). All devices below it do DMA in its address space, through
 * windows of which each has a table that the guest fills.
 */
export class PaprHostBridge {
  readonly addressSpace: AddressSpace;
  readonly index: number;
  /** The unit id by which firmware calls name it. */
  readonly buid: number;
  readonly #windowSize: number;
  readonly #ddw: boolean;
  readonly #pageSizes: number;
  readonly #windows: (Window | undefined)[] = Array.from({ length: TABLES }, () => undefined);

  constructor(
    { index, windowSize = 0x4000_0000, ddw = true, pageSizes = 0x11000 }: PaprHostBridgeOptions,
    private readonly hypercalls: PaprTceHypercalls,
  ) {
    this.index = index;
    this.buid = DMA64_START + index;
    this.#windowSize = windowSize;
    this.#ddw = ddw;
    this.#pageSizes = pageSizes;
    this.addressSpace = new AddressSpace(`bridge ${index}`);
    this.addressSpace.add(MSI_START, MSI_SIZE, { type: 'mmio', name: 'MSI window' });
    this.reset();
  }

  /** The windows that there are. */
  get tables(): readonly GuestTceTable[] {
    return this.#windows.flatMap((window) => window?.table ?? []);
  }

  /** Machine reset: only the default window, and it is empty. */
  reset(): void {
    for (const slot of this.#windows.keys()) this.#remove(slot);
    this.#create(0, 0, this.#windowSize, DEFAULT_PAGE_SHIFT);
  }

  /**
   * ibm,query-pe-dma-window: how many windows can still be made, of how many entries, with which pages.
   *
   * @param args the configuration address and the unit id in two cells.
   */
  queryWindows(args: readonly number[], rets: number): readonly number[] {
    if (!this.#meant(args, 3, rets, 5)) return [RTAS_PARAMETER];
    const mask = PAGE_SHIFTS.reduce(
      (bits, shift, bit) => (this.#offers(shift) ? bits | (1 << bit) : bits),
      0,
    );
    return [RTAS_SUCCESS, TABLES - this.tables.length, LARGEST_BLOCK, mask, 0];
  }

  /** ibm,create-pe-dma-window: page and window shift behind the unit id; returns the number and the address. */
  createWindow(args: readonly number[], rets: number): readonly number[] {
    if (!this.#meant(args, 5, rets, 4)) return [RTAS_PARAMETER];
    const [, , , pageShift = 0, windowShift = 0] = args;
    if (!this.#offers(pageShift) || windowShift < pageShift) return [RTAS_PARAMETER];
    const slot = this.#windows.indexOf(undefined);
    if (slot === -1) return [RTAS_HARDWARE];
    const start = this.tables.length === 0 ? 0 : DMA64_START;
    const { liobn } = this.#create(slot, start, 2 ** windowShift, pageShift);
    return [RTAS_SUCCESS, liobn, Math.floor(start / 2 ** 32), start % 2 ** 32];
  }

  /** ibm,remove-pe-dma-window: by the window's number. */
  removeWindow(args: readonly number[], rets: number): readonly number[] {
    const slot = this.#windows.findIndex((window) => window?.table.liobn === args[0]);
    if (!this.#ddw || args.length !== 1 || rets !== 1 || slot === -1) return [RTAS_PARAMETER];
    this.#remove(slot);
    return [RTAS_SUCCESS];
  }

  /** ibm,reset-pe-dma-window: back to the default window. */
  resetWindows(args: readonly number[], rets: number): readonly number[] {
    if (!this.#meant(args, 3, rets, 1)) return [RTAS_PARAMETER];
    this.reset();
    return [RTAS_SUCCESS];
  }

  #meant(args: readonly number[], wanted: number, rets: number, wantedRets: number): boolean {
    const [, high = 0, low = 0] = args;
    return (
      this.#ddw &&
      args.length === wanted &&
      rets === wantedRets &&
      high * 2 ** 32 + low === this.buid
    );
  }

  #offers(pageShift: number): boolean {
    return (
      PAGE_SHIFTS.some((shift) => shift === pageShift) &&
      (this.#pageSizes / 2 ** pageShift) % 2 >= 1
    );
  }

  #create(slot: number, start: number, size: number, pageShift: number): GuestTceTable {
    const liobn = LIOBN_BASE + this.index * 256 + slot;
    const table = new GuestTceTable({ liobn, start, size, pageShift });
    this.hypercalls.add(table);
    this.#windows[slot] = { table, section: this.addressSpace.add(start, size, table) };
    return table;
  }

  #remove(slot: number): void {
    const window = this.#windows[slot];
    if (window === undefined) return;
    this.#windows[slot] = undefined;
    this.addressSpace.remove(window.section);
    this.hypercalls.remove(window.table);
  }
}
