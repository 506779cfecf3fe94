import {
  copyArgszIn,
  EFAULT,
  EINVAL,
  ENXIO,
  EPERM,
  type IoctlArgument,
  type Process,
  type UserMapping,
  VFIO_DMA_MAP_FLAG_READ,
  VFIO_DMA_MAP_FLAG_WRITE,
  vfioIommuType1DmaMap,
  vfioIommuType1DmaUnmap,
} from '@vfiokit/uapi';
import type { DmaSnapshot } from '../address/dma-snapshot.js';
import type { IommuParameters } from '../container/parameters.js';
import { DMA_READ, DMA_WRITE, type DmaAccess } from '../hardware/dma.js';
import type { TcePlatform } from '../hardware/tce-platform.js';
import { pin } from '../memory/pinned-memory.js';
import type { RegisteredMemory } from './registered-memory.js';
import { type TceTable, targetOf } from './tce-table.js';
import type { TceWindows } from './tce-windows.js';

const ACCESS = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;

/** Sets and clears the entries of a container's tables: MAP_DMA and UNMAP_DMA of sPAPR, page by page. */
export class TceMapper {
  /** Whose memory the entries of v2 lead to. */
  #process: Process | undefined;

  constructor(
    private readonly windows: TceWindows,
    private readonly registered: RegisteredMemory,
    private readonly v2: boolean,
    private readonly parameters: IommuParameters,
  ) {}

  /** VFIO_IOMMU_MAP_DMA. An entry that is set already is replaced; if a page fails, all that this call has set are clear. */
  map(argument: IoctlArgument, caller: Process): number {
    const map = copyArgszIn(argument, vfioIommuType1DmaMap);
    if (typeof map === 'number') return map;
    const { flags } = map;
    if (flags & ~ACCESS) return -EINVAL;
    const built = this.windows.buildDefault(caller);
    if (built !== 0) return built;
    const iova = Number(map.iova);
    const table = this.windows.holding(iova);
    if (table === undefined) return -ENXIO;
    if ((map.size | map.vaddr) & BigInt(table.page - 1)) return -EINVAL;
    if (flags === 0) return -EINVAL;
    const pages = Number(map.size) / table.page;
    if (!table.holdsPages(iova, 1)) return this.#badParameter;
    if (!table.holdsPages(iova, pages)) return -EINVAL;
    this.#process = caller;
    for (let index = 0; index < pages; index += 1) {
      const at = iova + index * table.page;
      const result = this.#setEntry(table, at, Number(map.vaddr) + index * table.page, flags);
      if (result === 0) continue;
      for (let set = 0; set < index; set += 1) this.#clearEntry(table, iova + set * table.page);
      return result;
    }
    return 0;
  }

  /** VFIO_IOMMU_UNMAP_DMA: clears entries, set or not. The structure is not written back. */
  unmap(argument: IoctlArgument, caller: Process): number {
    const unmap = copyArgszIn(argument, vfioIommuType1DmaUnmap);
    if (typeof unmap === 'number') return unmap;
    if (unmap.flags !== 0) return -EINVAL;
    const built = this.windows.buildDefault(caller);
    if (built !== 0) return built;
    const iova = Number(unmap.iova);
    const table = this.windows.holding(iova);
    if (table === undefined) return -ENXIO;
    if (unmap.size & BigInt(table.page - 1)) return -EINVAL;
    const pages = Number(unmap.size) / table.page;
    if (!table.holdsPages(iova, pages)) return this.#badParameter;
    if (pages > table.used)
      for (const at of [...table.entries()]) {
        if (at >= iova && at < iova + pages * table.page) this.#clearEntry(table, at);
      }
    else
      for (let index = 0; index < pages; index += 1)
        this.#clearEntry(table, iova + index * table.page);
    return 0;
  }

  /** Sets one entry, or clears it without access: 0 or a negated errno. */
  put(
    table: TceTable,
    at: number,
    address: number,
    access: DmaAccess,
    owner: Process | undefined,
  ): number {
    this.#process ??= owner;
    if (access !== 0) return this.#setEntry(table, at, address, access);
    this.#clearEntry(table, at);
    return 0;
  }

  /** Clears a whole table. */
  clearAll(table: TceTable): void {
    for (const at of [...table.entries()]) this.#clearEntry(table, at);
  }

  /** What a check that only says yes or no comes out as. */
  get #badParameter(): number {
    return this.parameters.quirks.tceParameterCheckIsTrue ? 1 : -EINVAL;
  }

  #setEntry(table: TceTable, at: number, vaddr: number, access: DmaAccess): number {
    const memory = this.v2
      ? this.#registeredPage(table, vaddr)
      : this.#pinnedPage(table, vaddr, access);
    if (typeof memory === 'number') return memory;
    const region = this.#regionOf(table, vaddr);
    if (region) region.mapped += 1;
    this.#forget(table, table.set(at, vaddr, access, memory));
    return 0;
  }

  #clearEntry(table: TceTable, at: number): void {
    this.#forget(table, table.clear(at));
  }

  /** An entry leads nowhere any more. */
  #forget(table: TceTable, tce: number): void {
    const region = tce === 0 ? undefined : this.#regionOf(table, targetOf(tce));
    if (region) region.mapped -= 1;
  }

  #regionOf(table: TceTable, vaddr: number) {
    return this.v2 && this.#process
      ? this.registered.holding(this.#process, vaddr, table.page)
      : undefined;
  }

  /** v2: the page has to be registered, and the region has to be good for such large pages. */
  #registeredPage(table: TceTable, vaddr: number): UserMapping | number {
    const region = this.#regionOf(table, vaddr);
    if (region === undefined || region.maxPage < Math.max(table.page, 1)) return -EINVAL;
    return (
      region.memory.find(({ address, size }) => vaddr >= address && vaddr < address + size) ??
      -EINVAL
    );
  }

  /** v1: the page is pinned now. It was counted when the container was enabled. */
  #pinnedPage(table: TceTable, vaddr: number, access: DmaAccess): UserMapping | number {
    const process = this.#process;
    if (process === undefined) return -EFAULT;
    const write = (access & DMA_WRITE) !== 0;
    const { mappings, bytes } = pin(process.memory, vaddr, table.page, write);
    const memory = mappings[0];
    if (memory === undefined || bytes < table.page) return -EFAULT;
    return (memory.hugePageSize ?? this.parameters.pageSize) < table.page ? -EPERM : memory;
  }
}

/** What a container's windows and entries look like. */
export function tceSnapshot(
  v2: boolean,
  platform: TcePlatform | undefined,
  tables: readonly (TceTable | undefined)[],
): DmaSnapshot {
  const present = tables.filter((table) => table !== undefined);
  return {
    kind: v2 ? 'spapr-tce v2' : 'spapr-tce v1',
    pageSizes: v2
      ? BigInt(platform?.pageSizes ?? 0)
      : present.reduce((sizes, { page }) => sizes | BigInt(page), 0n),
    available: null,
    ranges: present.map(({ start, size }) => ({
      start: BigInt(start),
      last: BigInt(start) + BigInt(size) - 1n,
    })),
    mappings: present.flatMap((table) =>
      [...table.entries()].map((at) => {
        const tce = table.get(at);
        return {
          iova: BigInt(at),
          size: BigInt(table.page),
          target: BigInt(targetOf(tce)),
          read: ((tce % 4) & DMA_READ) !== 0,
          write: ((tce % 4) & DMA_WRITE) !== 0,
        };
      }),
    ),
  };
}
