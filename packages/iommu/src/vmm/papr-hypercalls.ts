import { H_PARAMETER, H_SUCCESS, TCE_LIST_ALIGNMENT, TCE_LIST_MAX } from '../kvm/tce-hypercalls.js';
import type { GuestTceTable } from './guest-tce-table.js';

const TCE_SIZE = 8;
const LIOBN_MAX = 2 ** 32;

/** Reads guest memory for a hypercall; `undefined` where there is none. */
export type GuestReader = (guest: number, length: number) => Uint8Array | undefined;

/** TCE hypercalls as the monitor emulates them (QEMU's hw/ppc/spapr_iommu.c): entry by entry, up to the first bad one. */
export class PaprTceHypercalls {
  readonly #tables = new Map<number, GuestTceTable>();

  constructor(private readonly read: GuestReader) {}

  add(table: GuestTceTable): void {
    this.#tables.set(table.liobn, table);
  }

  remove(table: GuestTceTable): void {
    this.#tables.delete(table.liobn);
  }

  /** H_PUT_TCE */
  put(liobn: number, ioba: number, tce: bigint): number {
    const table = this.#find(liobn);
    return table ? putEntry(table, aligned(table, ioba), tce) : H_PARAMETER;
  }

  /** H_PUT_TCE_INDIRECT: what precedes a bad entry stays. */
  putIndirect(liobn: number, ioba: number, list: number, count: number): number {
    const table = this.#find(liobn);
    if (table === undefined || count === 0 || count > TCE_LIST_MAX || list % TCE_LIST_ALIGNMENT)
      return H_PARAMETER;
    const first = aligned(table, ioba);
    for (let index = 0; index < count; index += 1) {
      const bytes = this.read(list + index * TCE_SIZE, TCE_SIZE);
      if (bytes === undefined) return H_PARAMETER;
      const tce = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, false);
      const result = putEntry(table, first + index * table.page, tce);
      if (result !== H_SUCCESS) return result;
    }
    return H_SUCCESS;
  }

  /** H_STUFF_TCE: one value for many entries, whether it gives access or not. */
  stuff(liobn: number, ioba: number, tce: bigint, count: number): number {
    const table = this.#find(liobn);
    if (table === undefined || count === 0 || count > table.entries) return H_PARAMETER;
    const first = aligned(table, ioba);
    for (let index = 0; index < count; index += 1) {
      const result = putEntry(table, first + index * table.page, tce);
      if (result !== H_SUCCESS) return result;
    }
    return H_SUCCESS;
  }

  /** H_GET_TCE: the entry, or H_PARAMETER. */
  get(liobn: number, ioba: number): bigint | typeof H_PARAMETER {
    const table = this.#find(liobn);
    const at = table && aligned(table, ioba);
    return table && at !== undefined && table.holds(at) ? table.get(at) : H_PARAMETER;
  }

  #find(liobn: number): GuestTceTable | undefined {
    return liobn < LIOBN_MAX ? this.#tables.get(liobn) : undefined;
  }
}

/** The page that an address is in: what is below it does not count. */
function aligned({ page }: GuestTceTable, ioba: number): number {
  return ioba - (ioba % page);
}

function putEntry(table: GuestTceTable, ioba: number, tce: bigint): number {
  if (!table.holds(ioba)) return H_PARAMETER;
  table.put(ioba, tce);
  return H_SUCCESS;
}
