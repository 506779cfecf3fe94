import {
  EBUSY,
  EFAULT,
  EINVAL,
  ENOENT,
  ENOMEM,
  type Process,
  type UserMapping,
} from '@vfiokit/uapi';
import { aligned } from '../address/address.js';
import { lockBytes, unlockBytes } from '../memory/locked-memory.js';
import { pin } from '../memory/pinned-memory.js';

/** Memory that a process has registered for DMA: pinned and counted once, however often it is mapped. */
export interface RegisteredRegion {
  readonly address: number;
  readonly size: number;
  /** Who has registered it, and pays for it. */
  readonly process: Process;
  readonly memory: readonly UserMapping[];
  /** The largest IOMMU page that can lead into it. */
  readonly maxPage: number;
  /** Containers that have registered it. */
  users: number;
  /** Entries that lead into it. */
  mapped: number;
}

/** The registered memory of all processes (powerpc/mm/book3s64/iommu_api.c). */
export class RegisteredMemory {
  readonly #byProcess = new Map<Process, RegisteredRegion[]>();

  constructor(private readonly pageSize: number) {}

  /** The region of exactly this extent. */
  get(process: Process, address: number, size: number): RegisteredRegion | undefined {
    return this.#of(process).find((region) => region.address === address && region.size === size);
  }

  /** The region that holds a range. */
  holding(process: Process, address: number, size: number): RegisteredRegion | undefined {
    return this.#of(process).find(
      (region) => region.address <= address && address + size <= region.address + region.size,
    );
  }

  /**
   * Pins and counts a new region, of which there is none of that extent.
   *
   * @returns it, or `-EINVAL` (overlaps another), `-ENOMEM` (limit, or nothing to register), `-EFAULT`.
   */
  create(process: Process, address: number, size: number): RegisteredRegion | number {
    const regions = this.#of(process);
    if (
      regions.some(
        (other) => address < other.address + other.size && other.address < address + size,
      )
    )
      return -EINVAL;
    if (size === 0) return -ENOMEM;
    if (!lockBytes(process, process.credentials.ipcLock, size, this.pageSize)) return -ENOMEM;
    const { mappings, bytes } = pin(process.memory, address, size, true);
    if (bytes < size) {
      unlockBytes(process, size);
      return -EFAULT;
    }
    const region = {
      address,
      size,
      process,
      memory: mappings,
      maxPage: this.#maxPage(address, size, mappings),
      users: 1,
      mapped: 0,
    };
    regions.push(region);
    return region;
  }

  /** A container lets go; `-EBUSY` if it was the last one and entries lead there. */
  put(region: RegisteredRegion): number {
    if (region.users > 1) {
      region.users -= 1;
      return 0;
    }
    if (region.mapped > 0) return -EBUSY;
    const regions = this.#of(region.process);
    const index = regions.indexOf(region);
    if (index === -1) return -ENOENT;
    regions.splice(index, 1);
    unlockBytes(region.process, region.size);
    return 0;
  }

  #of(process: Process): RegisteredRegion[] {
    const regions = this.#byProcess.get(process) ?? [];
    this.#byProcess.set(process, regions);
    return regions;
  }

  /** As large as its ends are aligned and the pages behind it are. */
  #maxPage(address: number, size: number, memory: readonly UserMapping[]): number {
    let page = Math.min(...memory.map(({ hugePageSize }) => hugePageSize ?? this.pageSize));
    while (!aligned(address, page) || !aligned(size, page)) page /= 2;
    return page;
  }
}
