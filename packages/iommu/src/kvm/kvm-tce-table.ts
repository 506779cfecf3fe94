import type { VfioFile } from '@vfiokit/uapi';
import type { SpaprTce } from '../spapr/spapr-tce.js';
import type { TceTable } from '../spapr/tce-table.js';
import type { KvmVm, TceTableRequest } from './kvm-vm.js';

/** A hardware table that follows a guest's, and for how many groups. */
export interface TceLink {
  readonly container: SpaprTce;
  readonly table: TceTable;
  references: number;
}

/** A guest's TCE table in the kernel: what the guest has written, and the hardware tables that show it. */
export class KvmTceTable implements VfioFile {
  readonly kind = 'other';
  readonly liobn: number;
  readonly pageShift: number;
  readonly page: number;
  /** The first bus address. */
  readonly start: number;
  /** Bytes. */
  readonly size: number;
  readonly #tces = new Map<number, bigint>();
  readonly #links: TceLink[] = [];

  constructor(
    readonly vm: KvmVm,
    { liobn, pageShift, offset, size }: TceTableRequest,
    private readonly closed: () => void,
  ) {
    this.liobn = liobn;
    this.pageShift = pageShift;
    this.page = 2 ** pageShift;
    this.start = offset * this.page;
    this.size = size * this.page;
  }

  get links(): readonly TceLink[] {
    return this.#links;
  }

  /** Whether so many entries from an address on are in the table, and it is a page's. */
  holds(ioba: number, count: number): boolean {
    return (
      ioba % this.page === 0 &&
      ioba >= this.start &&
      ioba + count * this.page <= this.start + this.size
    );
  }

  /** What the guest has last written, even if it gives no access. */
  get(ioba: number): bigint {
    return this.#tces.get(ioba) ?? 0n;
  }

  set(ioba: number, tce: bigint): void {
    if (tce === 0n) this.#tces.delete(ioba);
    else this.#tces.set(ioba, tce);
  }

  /**
   * Whether a hardware table can show this one: pages that are not larger, the same bus addresses, and enough of them.
   */
  fits(table: TceTable): boolean {
    return (
      table.pageShift <= this.pageShift && table.start === this.start && table.size >= this.size
    );
  }

  /** Lets a hardware table follow, once more if it does already. */
  link(container: SpaprTce, table: TceTable): void {
    const link = this.#links.find((other) => other.table === table);
    if (link) link.references += 1;
    else this.#links.push({ container, table, references: 1 });
  }

  /** A group that has come with a container leaves. */
  unlink(container: SpaprTce): void {
    for (const link of [...this.#links]) {
      if (link.container !== container) continue;
      link.references -= 1;
      if (link.references === 0) this.#links.splice(this.#links.indexOf(link), 1);
    }
  }

  close(): void {
    this.#links.length = 0;
    this.closed();
  }
}
