import type { KvmTceTable } from './kvm-tce-table.js';
import type { KvmVm } from './kvm-vm.js';

/** What hypercalls answer. */
export const H_SUCCESS = 0;
export const H_HARDWARE = -1;
export const H_PARAMETER = -4;
/** Never seen by the guest: the monitor has to emulate the call. */
export const H_TOO_HARD = 9999;

export const H_GET_TCE = 0x1c;
export const H_PUT_TCE = 0x20;
export const H_STUFF_TCE = 0x138;
export const H_PUT_TCE_INDIRECT = 0x13c;

/** Most entries of a list: a page of them. */
export const TCE_LIST_MAX = 512;
/** Lists lie in a page of 4 KiB. */
export const TCE_LIST_ALIGNMENT = 4096;
const TCE_SIZE = 8;
const PERMISSION = 3n;

/** The permission of an entry: bit 0 read, bit 1 write. */
export function tceAccess(tce: bigint): number {
  return Number(tce & PERMISSION);
}

/**
 * TCE hypercalls in the kernel (book3s_64_vio.c): what it can do without the monitor. A guest page may take several
 * hardware entries. Lists are checked as a whole before anything is done.
 */
export class KvmTceHypercalls {
  constructor(private readonly vm: KvmVm) {}

  /** H_PUT_TCE */
  put(liobn: number, ioba: number, tce: bigint): number {
    const table = this.vm.tceTable(liobn);
    if (table === undefined) return H_TOO_HARD;
    if (!table.holds(ioba, 1)) return H_PARAMETER;
    return this.#check(table, tce) || this.#apply(table, ioba, tce);
  }

  /** H_PUT_TCE_INDIRECT: entries from a list in guest memory. */
  putIndirect(liobn: number, ioba: number, list: number, count: number): number {
    const table = this.vm.tceTable(liobn);
    if (table === undefined) return H_TOO_HARD;
    if (count > TCE_LIST_MAX || list % TCE_LIST_ALIGNMENT !== 0) return H_PARAMETER;
    if (!table.holds(ioba, count)) return H_PARAMETER;
    const tces: bigint[] = [];
    for (let index = 0; index < count; index += 1) {
      const address = this.vm.memory.resolve(list + index * TCE_SIZE);
      const bytes =
        address === undefined ? undefined : this.vm.process.memory.read(address, TCE_SIZE);
      if (bytes === undefined) return H_TOO_HARD;
      const tce = new DataView(bytes.buffer).getBigUint64(0, false);
      const bad = this.#check(table, tce);
      if (bad !== H_SUCCESS) return bad;
      tces.push(tce);
    }
    for (const [index, tce] of tces.entries()) {
      const result = this.#apply(table, ioba + index * table.page, tce);
      if (result !== H_SUCCESS) return result;
    }
    return H_SUCCESS;
  }

  /** H_STUFF_TCE: one value for many entries; it may give no access. */
  stuff(liobn: number, ioba: number, tce: bigint, count: number): number {
    const table = this.vm.tceTable(liobn);
    if (table === undefined) return H_TOO_HARD;
    if (!table.holds(ioba, count) || tceAccess(tce) !== 0) return H_PARAMETER;
    for (let index = 0; index < count; index += 1)
      this.#apply(table, ioba + index * table.page, tce);
    return H_SUCCESS;
  }

  /** H_GET_TCE: the entry, or H_PARAMETER; the number is H_TOO_HARD's if there is no table. */
  get(liobn: number, ioba: number): bigint | number {
    const table = this.vm.tceTable(liobn);
    if (table === undefined) return H_TOO_HARD;
    return table.holds(ioba, 1) ? table.get(ioba) : H_PARAMETER;
  }

  /** The kernel can only do it if the memory is there and registered for every table that follows. */
  #check(table: KvmTceTable, tce: bigint): number {
    if (tceAccess(tce) === 0) return H_SUCCESS;
    const guest = Number(tce & ~PERMISSION);
    if (guest % table.page !== 0) return H_TOO_HARD;
    const address = this.vm.memory.resolve(guest);
    if (address === undefined) return H_TOO_HARD;
    const ready = table.links.every(
      ({ container }) => container.v2 && container.registered(address, table.page),
    );
    return ready ? H_SUCCESS : H_TOO_HARD;
  }

  #apply(table: KvmTceTable, ioba: number, tce: bigint): number {
    const access = tceAccess(tce);
    const address = this.vm.memory.resolve(Number(tce & ~PERMISSION)) ?? 0;
    for (const { container, table: hardware } of table.links)
      for (let at = 0; at < table.page; at += hardware.page) {
        const result = container.putTce(hardware, ioba + at, address + at, access);
        if (result !== 0) return H_HARDWARE;
      }
    table.set(ioba, tce);
    return H_SUCCESS;
  }
}
