import { DMA_WRITE, type DmaAccess, DmaHit } from '../hardware/dma.js';
import type { GuestPageTable, HwptPaging } from './hwpt.js';

const PRESENT = 0x1;
const WRITABLE = 0x2;
const LARGE = 0x80;
const LEVEL_BITS = 9;
const PAGE_SHIFT = 12;
const ENTRY_SIZE = 8;
/** Bits 51:12 of an entry. */
const ADDRESS_LIMIT = 2 ** 52;
const PAGE = 2 ** PAGE_SHIFT;

/** A first-stage table as VT-d walks it: x86's four or five levels, in guest memory (VT-d 3.6). */
export class VtdPageTable implements GuestPageTable {
  readonly #hit = new DmaHit();
  readonly #levels: number;

  /**
   * @param parent shows the guest's memory.
   * @param root guest physical address of the top level.
   * @param width bits of an address: 48 or 57.
   */
  constructor(
    private readonly parent: HwptPaging,
    private readonly root: number,
    width: number,
  ) {
    this.#levels = Math.ceil((width - PAGE_SHIFT) / LEVEL_BITS);
  }

  walk(iova: number, access: DmaAccess): number | undefined {
    let table = this.root;
    for (let level = this.#levels; level > 0; level -= 1) {
      const span = 2 ** (PAGE_SHIFT + LEVEL_BITS * (level - 1));
      const index = Math.floor(iova / span) % 2 ** LEVEL_BITS;
      const entry = this.#read(table + index * ENTRY_SIZE);
      if (entry === undefined || !(entry.low & PRESENT)) return undefined;
      if (access === DMA_WRITE && !(entry.low & WRITABLE)) return undefined;
      if (level === 1 || entry.low & LARGE)
        return entry.address - (entry.address % span) + (iova % span);
      table = entry.address;
    }
    return undefined;
  }

  #read(address: number): { low: number; address: number } | undefined {
    const hit = this.#hit;
    if (!this.parent.translate(address, 1, hit) || hit.length < ENTRY_SIZE) return undefined;
    const bytes = hit.memory?.bytes;
    if (bytes === undefined) return { low: 0, address: 0 };
    const view = new DataView(bytes.buffer, bytes.byteOffset + hit.offset, ENTRY_SIZE);
    const low = view.getUint32(0, true);
    const value = (view.getUint32(4, true) % (ADDRESS_LIMIT / 2 ** 32)) * 2 ** 32 + low;
    return { low, address: value - (value % PAGE) };
  }
}
