import { EFAULT, ENODEV, ENOMEM, type Process, type UserMapping } from '@vfiokit/uapi';
import { DMA_WRITE, type DmaAccess } from '../hardware/dma.js';
import { lockableBytes } from '../memory/locked-memory.js';
import { pin } from '../memory/pinned-memory.js';

/** Whose memory a mapping leads to. Neighbours share one. */
export interface Backing {
  readonly process: Process;
  /** It held CAP_IPC_LOCK when it asked for the mapping: counted, but not limited. */
  readonly unlimited: boolean;
  /** What is pinned; empty as long as no IOMMU uses it. */
  readonly memory: readonly UserMapping[];
  /** How far the user's present address lies from the one that was pinned, after VFIO_DMA_MAP_FLAG_VADDR. */
  readonly moved: number;
}

/** Memory that is to be pinned. */
export interface PinRequest {
  readonly process: Process;
  readonly unlimited: boolean;
  /** The user's address. */
  readonly vaddr: number;
  /** Bytes. */
  readonly size: number;
  readonly access: DmaAccess;
  /** Bytes of it that count as locked already. */
  readonly counted: number;
}

/** Makes what mappings lead to: most lead to where the one before led, and share its object. */
export class Backings {
  #last: Backing | undefined;

  /** @param page bytes of a page, by which locked memory is counted. */
  constructor(private readonly page: number) {}

  /**
   * Pins memory and counts it (vfio_iommu_type1.c: vfio_pin_map_dma).
   *
   * @returns what it leads to; `-ENODEV` (the process has gone), `-ENOMEM` (too much would be locked), `-EFAULT` (there is
   * no such memory, or it cannot be written).
   */
  pin({ process, unlimited, vaddr, size, access, counted }: PinRequest): Backing | number {
    if (process.exited) return -ENODEV;
    const write = (access & DMA_WRITE) !== 0;
    const inside = process.memory.find(vaddr);
    const last = this.#last?.memory;
    const found =
      inside !== undefined &&
      last?.length === 1 &&
      last[0] === inside &&
      holds(inside, vaddr, size) &&
      (inside.writable || !write)
        ? { mappings: last, bytes: size, counted: inside.deviceMemory ? 0 : size }
        : pin(process.memory, vaddr, size, write);
    // Page by page the kernel first looks for it, then counts it: whichever fails at the lower page is reported.
    const newlyCounted = found.counted - counted;
    if (newlyCounted > lockableBytes(process, unlimited, this.page)) return -ENOMEM;
    if (found.bytes < size) return -EFAULT;
    process.lockedBytes += newlyCounted;
    return this.shared(process, unlimited, found.mappings, 0);
  }

  /** One object for neighbours that lead to the same memory of the same process. */
  shared(
    process: Process,
    unlimited: boolean,
    memory: readonly UserMapping[],
    moved: number,
  ): Backing {
    const last = this.#last;
    if (
      last !== undefined &&
      last.process === process &&
      last.unlimited === unlimited &&
      last.moved === moved &&
      same(last.memory, memory)
    )
      return last;
    this.#last = { process, unlimited, memory, moved };
    return this.#last;
  }
}

/** Whether a mapping of the process holds all of a range. */
function holds({ address, size: length }: UserMapping, vaddr: number, size: number): boolean {
  return vaddr >= address && vaddr + size <= address + length;
}

function same(one: readonly UserMapping[], other: readonly UserMapping[]): boolean {
  if (one === other) return true;
  if (one.length !== other.length) return false;
  for (let index = 0; index < one.length; index += 1) if (one[index] !== other[index]) return false;
  return true;
}
