import { EINVAL, ENOENT } from '@vfiokit/uapi';
import type { ClientMemory } from '../dma/client-memory.js';
import { bitmapBytes, isPowerOfTwo } from '../dma/dirty-log.js';
import { WRITEABLE } from '../dma/windows.js';
import {
  DMA_MAP_FILE_IO,
  DMA_MAP_MMAP,
  DMA_MAP_READABLE,
  DMA_MAP_WRITEABLE,
  DMA_UNMAP_ALL,
  DMA_UNMAP_GET_DIRTY,
  dirtyBitmap,
  dmaMap,
  dmaUnmap,
} from '../protocol/payloads.js';
import type { ClientFile, Descriptors } from '../transport/descriptors.js';
import type { Reply } from './reply.js';

/**
 * Which ranges DMA_UNMAP takes: `covering` removes every window inside, as clients with a virtual IOMMU rely on; `exact`
 * only a window that is the range, as the specification says, and knows `ENOENT`.
 */
export type UnmapMode = 'covering' | 'exact';

const MAP_FLAGS = DMA_MAP_READABLE | DMA_MAP_WRITEABLE | DMA_MAP_MMAP | DMA_MAP_FILE_IO;
const PERMISSIONS = DMA_MAP_READABLE | DMA_MAP_WRITEABLE;
const SPACE = 2n ** 64n;

/** DMA_MAP and DMA_UNMAP: what the client lends of its memory. */
export class DmaCommands {
  constructor(
    private readonly memory: ClientMemory,
    private readonly descriptors: Descriptors,
    private readonly mode: UnmapMode,
    /** Bytes of a reply's data, at most. */
    private readonly largest: number,
  ) {}

  /** @param fds descriptors that came along; the one that is taken over is removed from it. */
  map(payload: Uint8Array, fds: number[]): number {
    if (payload.length < dmaMap.size) return -EINVAL;
    const { argsz, flags, offset, address, size } = dmaMap.decode(payload);
    if (argsz < dmaMap.size || (flags & ~MAP_FLAGS) !== 0) return -EINVAL;
    const [fd] = fds;
    if (fd === undefined && (flags & (DMA_MAP_MMAP | DMA_MAP_FILE_IO)) !== 0) return -EINVAL;
    const place = { address, size };
    const fault = this.memory.windows.check(place);
    if (fault < 0) return fault;
    let file: ClientFile | undefined;
    if (fd !== undefined) {
      if (offset + size > BigInt(Number.MAX_SAFE_INTEGER)) return -EINVAL;
      const opened = this.descriptors.open(fd, {
        offset: Number(offset),
        size: Number(size),
        writable: (flags & WRITEABLE) !== 0,
        map: (flags & (DMA_MAP_MMAP | DMA_MAP_FILE_IO)) !== DMA_MAP_FILE_IO,
      });
      if (typeof opened === 'number') return opened;
      file = opened;
      fds.shift();
    }
    this.memory.windows.add(place, flags & PERMISSIONS, Number(offset), file);
    return 0;
  }

  unmap(payload: Uint8Array): Reply {
    if (payload.length < dmaUnmap.size) return -EINVAL;
    const { argsz, flags, address, size } = dmaUnmap.decode(payload);
    if (argsz < dmaUnmap.size || argsz > this.largest) return -EINVAL;
    if (flags === DMA_UNMAP_ALL) {
      if (address !== 0n || size !== 0n) return -EINVAL;
      this.memory.cancel(0, Number.POSITIVE_INFINITY);
      this.memory.windows.clear();
      return payload.slice(0, dmaUnmap.size);
    }
    if ((flags & ~DMA_UNMAP_GET_DIRTY) !== 0 || address + size > SPACE) return -EINVAL;
    const bitmap = flags === 0 ? new Uint8Array(0) : this.#dirtyPages(payload, argsz);
    if (typeof bitmap === 'number') return bitmap;
    const result = this.#remove(address, size);
    if (result < 0) return result;
    const answer = new Uint8Array(dmaUnmap.size + bitmap.length);
    answer.set(payload.subarray(0, dmaUnmap.size));
    answer.set(bitmap, dmaUnmap.size);
    return answer;
  }

  /** Transfers end before the memory that they use goes. */
  #remove(address: bigint, size: bigint): number {
    const { windows } = this.memory;
    if (this.mode === 'exact' && !windows.has(address, size)) return -ENOENT;
    const error = windows.splits(address, size) ? -EINVAL : 0;
    if (error < 0) return error;
    this.memory.cancel(Number(address), Number(address + size));
    windows.remove(address, size);
    return 0;
  }

  /** The pages of the range that were written, with the bitmap's header in front. */
  #dirtyPages(payload: Uint8Array, argsz: number): Uint8Array | number {
    const { log, windows } = this.memory;
    if (!log.active || payload.length < dmaUnmap.size + dirtyBitmap.size) return -EINVAL;
    const { address, size } = dmaUnmap.decode(payload);
    const { pageSize, size: room } = dirtyBitmap.decode(payload, dmaUnmap.size);
    const page = Number(pageSize);
    if (!isPowerOfTwo(page) || windows.splits(address, size)) return -EINVAL;
    const bytes = bitmapBytes(Number(size), page);
    if (room < BigInt(bytes) || argsz < dmaUnmap.size + dirtyBitmap.size + bytes) return -EINVAL;
    const answer = new Uint8Array(dirtyBitmap.size + bytes);
    dirtyBitmap.encode({ pageSize, size: room }, answer);
    log.report(Number(address), Number(size), page, answer.subarray(dirtyBitmap.size));
    return answer;
  }
}
