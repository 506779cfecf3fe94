import { EINVAL, ENOENT } from '@vfiokit/uapi';
import type { ClientMemory } from '../dma/client-memory.js';
import { bitmapBytes, isPowerOfTwo } from '../dma/dirty-log.js';
import { WRITEABLE } from '../dma/windows.js';
import { getExact, HEADER_SIZE } from '../protocol/header.js';
import {
  DMA_MAP_ADDRESS,
  DMA_MAP_BYTES,
  DMA_MAP_FILE_IO,
  DMA_MAP_FLAGS,
  DMA_MAP_MMAP,
  DMA_MAP_OFFSET,
  DMA_MAP_READABLE,
  DMA_MAP_SIZE,
  DMA_MAP_WRITEABLE,
  DMA_UNMAP_ADDRESS,
  DMA_UNMAP_ALL,
  DMA_UNMAP_BYTES,
  DMA_UNMAP_FLAGS,
  DMA_UNMAP_GET_DIRTY,
  DMA_UNMAP_SIZE,
  dirtyBitmap,
} from '../protocol/payloads.js';
import type { ClientFile, Descriptors } from '../transport/descriptors.js';
import type { Received, Reply } from './reply.js';

/**
 * Which ranges DMA_UNMAP takes: `covering` removes every window inside, as clients with a virtual IOMMU rely on; `exact`
 * only a window that is the range, as the specification says, and knows `ENOENT`.
 */
export type UnmapMode = 'covering' | 'exact';

const MAP_FLAGS = DMA_MAP_READABLE | DMA_MAP_WRITEABLE | DMA_MAP_MMAP | DMA_MAP_FILE_IO;
const PERMISSIONS = DMA_MAP_READABLE | DMA_MAP_WRITEABLE;
const SPACE = 2 ** 64;

/**
 * DMA_MAP and DMA_UNMAP: what the client lends of its memory. A guest with a virtual IOMMU sends them all the time, so they are
 * read where they were received.
 */
export class DmaCommands {
  constructor(
    private readonly received: Received,
    private readonly memory: ClientMemory,
    private readonly descriptors: Descriptors,
    private readonly mode: UnmapMode,
    /** Bytes of a reply's data, at most. */
    private readonly largest: number,
  ) {}

  /**
   * @param at where the message starts.
   * @param fds descriptors that came along; the one that is taken over is removed from it.
   */
  map(at: number, size: number, fds: number[]): number {
    if (size < HEADER_SIZE + DMA_MAP_SIZE) return -EINVAL;
    const { view } = this.received;
    const payload = at + HEADER_SIZE;
    const flags = view.getUint32(payload + DMA_MAP_FLAGS, true);
    if (view.getUint32(payload, true) < DMA_MAP_SIZE || (flags & ~MAP_FLAGS) !== 0) return -EINVAL;
    const fd = fds[0];
    if (fd === undefined && (flags & (DMA_MAP_MMAP | DMA_MAP_FILE_IO)) !== 0) return -EINVAL;
    const start = getExact(view, payload + DMA_MAP_ADDRESS);
    const length = getExact(view, payload + DMA_MAP_BYTES);
    const offset = getExact(view, payload + DMA_MAP_OFFSET);
    const fault = this.memory.windows.check(start, length);
    if (fault < 0) return fault;
    let file: ClientFile | undefined;
    if (fd !== undefined) {
      if (offset < 0 || offset + length > Number.MAX_SAFE_INTEGER) return -EINVAL;
      const writable = (flags & WRITEABLE) !== 0;
      const map = (flags & (DMA_MAP_MMAP | DMA_MAP_FILE_IO)) !== DMA_MAP_FILE_IO;
      const opened = this.descriptors.open(fd, { offset, size: length, writable, map });
      if (typeof opened === 'number') return opened;
      file = opened;
      fds.shift();
    }
    this.memory.windows.add(start, length, flags & PERMISSIONS, offset, file);
    return 0;
  }

  /** @param at where the message starts. */
  unmap(at: number, size: number): Reply {
    if (size < HEADER_SIZE + DMA_UNMAP_SIZE) return -EINVAL;
    const { view } = this.received;
    const argsz = view.getUint32(at + HEADER_SIZE, true);
    const flags = view.getUint32(at + HEADER_SIZE + DMA_UNMAP_FLAGS, true);
    if (argsz < DMA_UNMAP_SIZE || argsz > this.largest) return -EINVAL;
    const start = getExact(view, at + HEADER_SIZE + DMA_UNMAP_ADDRESS);
    const end = start + getExact(view, at + HEADER_SIZE + DMA_UNMAP_BYTES);
    if (flags === DMA_UNMAP_ALL) {
      if (start !== 0 || end !== 0) return -EINVAL;
      this.memory.windows.clear();
      this.memory.cancel(0, Number.POSITIVE_INFINITY);
      return DMA_UNMAP_SIZE;
    }
    if ((flags & ~DMA_UNMAP_GET_DIRTY) !== 0 || start < 0 || end < start || end > SPACE)
      return -EINVAL;
    const { windows } = this.memory;
    if (this.mode === 'exact' && !windows.has(start, end)) return -ENOENT;
    if (windows.splits(start, end)) return -EINVAL;
    const reply =
      flags === 0
        ? DMA_UNMAP_SIZE
        : this.#dirtyPages(
            this.received.bytes.subarray(at + HEADER_SIZE, at + size),
            argsz,
            start,
            end,
          );
    if (typeof reply === 'number' && reply < 0) return reply;
    // A device that tries again as soon as it hears of the end finds nothing there.
    windows.remove(start, end);
    this.memory.cancel(start, end);
    return reply;
  }

  /** The request repeated, the bitmap's header, and the pages of the range that were written. */
  #dirtyPages(payload: Uint8Array, argsz: number, start: number, end: number): Uint8Array | number {
    const { log } = this.memory;
    if (!log.active || payload.length < DMA_UNMAP_SIZE + dirtyBitmap.size) return -EINVAL;
    const { pageSize, size: room } = dirtyBitmap.decode(payload, DMA_UNMAP_SIZE);
    const page = Number(pageSize);
    if (!isPowerOfTwo(page)) return -EINVAL;
    const bytes = bitmapBytes(end - start, page);
    if (room < BigInt(bytes) || argsz < DMA_UNMAP_SIZE + dirtyBitmap.size + bytes) return -EINVAL;
    const bits = DMA_UNMAP_SIZE + dirtyBitmap.size;
    const answer = new Uint8Array(bits + bytes);
    answer.set(payload.subarray(0, DMA_UNMAP_SIZE));
    dirtyBitmap.encode({ pageSize, size: room }, answer, DMA_UNMAP_SIZE);
    log.report(start, end - start, page, answer.subarray(bits));
    return answer;
  }
}
