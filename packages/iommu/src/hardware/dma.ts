import { EFAULT, type UserMapping } from '@vfiokit/uapi';

/** The device reads memory. The bits are those of VFIO_DMA_MAP_FLAG_READ and _WRITE. */
export const DMA_READ = 0x1;
/** The device writes memory. */
export const DMA_WRITE = 0x2;

/** One bit of {@link DMA_READ} and {@link DMA_WRITE}, or both for a permission. */
export type DmaAccess = number;

/** Where an address leads: filled in by {@link DmaDomain.translate}, and used again for the next address. */
export class DmaHit {
  /** The memory; `undefined` for one without contents. */
  memory: UserMapping | undefined;
  /** Where in it. */
  offset = 0;
  /** How many bytes from there on are translated alike. */
  length = 0;
}

/** What devices reach memory through: a page table of the IOMMU, or none (the kernel's struct iommu_domain). */
export interface DmaDomain {
  /** What it is, for messages: `blocking`, `identity`, `type1`, `hwpt 5`. */
  readonly name: string;
  /** Finds out where an address leads; false if the access faults. Allocates nothing. */
  translate(iova: number, access: DmaAccess, hit: DmaHit): boolean;
  /** The device has written these bytes: hardware that tracks dirty pages notes it. */
  wrote?(iova: number, length: number): void;
}

/** Every access faults: where a group is while its DMA is owned and nothing is attached. */
export const BLOCKING_DOMAIN: DmaDomain = { name: 'blocking', translate: () => false };

/** Page of which a 64-bit address is split off where a double would not be exact. */
const PAGE = 4096n;

/** What a device does DMA with. It looks up its group's domain anew at every access, as the hardware does. */
export class DmaPort {
  readonly #hit = new DmaHit();

  constructor(private readonly domain: () => DmaDomain) {}

  /**
   * Fills `into` from memory.
   *
   * @param iova a bus address; a `bigint` where it is not exact as a number (unaligned and above 2^53).
   * @returns how many bytes arrived before the first address that faulted; `-EFAULT` if that was the first one.
   */
  read(iova: number | bigint, into: Uint8Array): number {
    return this.#each(iova, into.length, DMA_READ, ({ memory, offset }, at, size) => {
      if (memory?.bytes) into.set(memory.bytes.subarray(offset, offset + size), at);
      else into.fill(0, at, at + size);
    });
  }

  /** Stores `from` to memory, under the same rules. */
  write(iova: number | bigint, from: Uint8Array): number {
    return this.#each(iova, from.length, DMA_WRITE, ({ memory, offset }, at, size) => {
      memory?.bytes?.set(from.subarray(at, at + size), offset);
    });
  }

  /** Whether an access of any length at this address would get through, and where to. */
  translate(iova: number, access: DmaAccess): DmaHit | undefined {
    return this.domain().translate(iova, access, this.#hit) ? this.#hit : undefined;
  }

  #each(
    iova: number | bigint,
    length: number,
    access: DmaAccess,
    move: (hit: DmaHit, at: number, size: number) => void,
  ): number {
    const domain = this.domain();
    const hit = this.#hit;
    let done = 0;
    while (done < length) {
      const [base, skip] = split(iova, done);
      if (!domain.translate(base, access, hit) || hit.length <= skip) break;
      hit.offset += skip;
      const size = Math.min(hit.length - skip, length - done);
      move(hit, done, size);
      if (access === DMA_WRITE) domain.wrote?.(base, skip + size);
      done += size;
    }
    return done === 0 && length > 0 ? -EFAULT : done;
  }

  toString(): string {
    return `DMA through ${this.domain().name}`;
  }
}

/** An address that a double holds exactly, and how far behind it the access starts. */
function split(iova: number | bigint, done: number): [base: number, skip: number] {
  if (typeof iova === 'number') return [iova + done, 0];
  const at = iova + BigInt(done);
  if (at <= BigInt(Number.MAX_SAFE_INTEGER)) return [Number(at), 0];
  return [Number(at & -PAGE), Number(at % PAGE)];
}
