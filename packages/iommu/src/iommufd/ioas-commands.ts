import {
  type DmaBufFile,
  EBADF,
  EFAULT,
  EINVAL,
  ENODEV,
  ENOENT,
  ENOMEM,
  EOPNOTSUPP,
  EOVERFLOW,
  ERRNO,
  IOMMU_IOAS_MAP_FIXED_IOVA,
  IOMMU_IOAS_MAP_READABLE,
  IOMMU_IOAS_MAP_WRITEABLE,
  iommuIoasAlloc,
  iommuIoasAllowIovas,
  iommuIoasChangeProcess,
  iommuIoasCopy,
  iommuIoasIovaRanges,
  iommuIoasMap,
  iommuIoasMapFile,
  iommuIoasUnmap,
  iommuIovaRange,
  type Process,
  type VfioFile,
} from '@vfiokit/uapi';
import { ADDRESS_END, type AddressRange, exact, lastOf, wraps } from '../address/address.js';
import { DMA_READ, DMA_WRITE, type DmaAccess } from '../hardware/dma.js';
import { MemFile } from '../memory/mem-file.js';
import { command } from './command.js';
import type { IommufdContext } from './context.js';
import type { IoPiece } from './io-areas.js';
import { IoPages, type IoSource } from './io-pages.js';
import { Ioas } from './ioas.js';

const U64_MAX = (1n << 64n) - 1n;
const KNOWN_FLAGS = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE;
const ACCESS_FLAGS = IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE;

/** IOMMU_IOAS_ALLOC */
export const ioasAlloc = command(iommuIoasAlloc, iommuIoasAlloc.size, (context, { flags }) => {
  if (flags !== 0) return -EOPNOTSUPP;
  if (!context.faults.allocates()) return -ENOMEM;
  const id = context.objects.add(new Ioas(context));
  return id < 0 ? id : { outIoasId: id };
});

/** IOMMU_IOAS_IOVA_RANGES: where something can be mapped, as many as there is room for. */
export const ioasIovaRanges = command(
  iommuIoasIovaRanges,
  iommuIoasIovaRanges.size,
  (context, { ioasId, numIovas, reserved, allowedIovas }, caller) => {
    if (reserved !== 0) return -EOPNOTSUPP;
    const ioas = context.find(ioasId, Ioas);
    if (typeof ioas === 'number') return ioas;
    const ranges = [...ioas.policy.usable];
    const array = new Uint8Array(Math.min(numIovas, ranges.length) * iommuIovaRange.size);
    for (const [index, range] of ranges.slice(0, numIovas).entries())
      iommuIovaRange.encode(
        { start: BigInt(range.start), last: lastOf(range) },
        array,
        index * iommuIovaRange.size,
      );
    if (!caller.memory.write(Number(allowedIovas), array)) return -EFAULT;
    return {
      result: ranges.length > numIovas ? -ERRNO.EMSGSIZE : 0,
      out: { numIovas: ranges.length, outIovaAlignment: BigInt(ioas.alignment) },
    };
  },
);

/** IOMMU_IOAS_ALLOW_IOVAS: replaces the list of where IOVAs are chosen from. */
export const ioasAllowIovas = command(
  iommuIoasAllowIovas,
  iommuIoasAllowIovas.size,
  (context, { ioasId, numIovas, reserved, allowedIovas }, caller) => {
    if (reserved !== 0) return -EOPNOTSUPP;
    const ioas = context.find(ioasId, Ioas);
    if (typeof ioas === 'number') return ioas;
    const ranges: AddressRange[] = [];
    for (let index = 0; index < numIovas; index += 1) {
      const at = Number(allowedIovas) + index * iommuIovaRange.size;
      const bytes = caller.memory.read(at, iommuIovaRange.size);
      if (bytes === undefined) return -EFAULT;
      const { start, last } = iommuIovaRange.decode(bytes);
      if (start >= last) return -EINVAL;
      const range = { start: Number(start), end: Number(last + 1n) };
      if (ranges.some((other) => range.start < other.end && other.start < range.end))
        return -EINVAL;
      ranges.push(range);
    }
    return ioas.policy.allow(ranges);
  },
);

/** IOMMU_IOAS_MAP: user memory. */
export const ioasMap = command(
  iommuIoasMap,
  iommuIoasMap.size,
  (context, { flags, ioasId, reserved, userVa, length, iova }, caller) => {
    if (flags & ~KNOWN_FLAGS || reserved !== 0) return -EOPNOTSUPP;
    if (iova >= U64_MAX || length >= U64_MAX) return -EOVERFLOW;
    if (!(flags & ACCESS_FLAGS)) return -EINVAL;
    const ioas = context.find(ioasId, Ioas);
    if (typeof ioas === 'number') return ioas;
    if (length > 0n && wraps(userVa, length)) return -EOVERFLOW;
    if (length === 0n || !exact(userVa) || !exact(length)) return -EINVAL;
    const source: IoSource = { type: 'user', process: caller, address: Number(userVa) };
    const pages = newPages(context, source, Number(length), flags, caller);
    return pages ? mapped(ioas, flags, iova, [piece(pages)], (at) => ({ iova: at })) : -ENOMEM;
  },
);

/** IOMMU_IOAS_MAP_FILE: memory of a file, or a device's that it exports. */
export const ioasMapFile = command(
  iommuIoasMapFile,
  iommuIoasMapFile.size,
  (context, { flags, ioasId, fd, start, length, iova }, caller) => {
    if (flags & ~KNOWN_FLAGS) return -EOPNOTSUPP;
    if (iova >= U64_MAX || length >= U64_MAX) return -EOVERFLOW;
    if (!(flags & ACCESS_FLAGS)) return -EINVAL;
    const ioas = context.find(ioasId, Ioas);
    if (typeof ioas === 'number') return ioas;
    if (length === 0n) return -EINVAL;
    if (wraps(start, length)) return -EOVERFLOW;
    const file = caller.fds.get(fd);
    if (file === undefined) return -EBADF;
    const source = sourceOf(file, start, length);
    if (typeof source === 'number') return source;
    const pages = newPages(context, source, Number(length), flags, caller);
    return pages ? mapped(ioas, flags, iova, [piece(pages)], (at) => ({ iova: at })) : -ENOMEM;
  },
);

/** IOMMU_IOAS_COPY: maps what is mapped elsewhere. The memory is pinned and counted once. */
export const ioasCopy = command(
  iommuIoasCopy,
  iommuIoasCopy.size,
  (context, { flags, dstIoasId, srcIoasId, length, dstIova, srcIova }) => {
    if (flags & ~KNOWN_FLAGS) return -EOPNOTSUPP;
    if (length >= U64_MAX || dstIova >= U64_MAX || srcIova >= U64_MAX) return -EOVERFLOW;
    if (!(flags & ACCESS_FLAGS)) return -EINVAL;
    const source = context.find(srcIoasId, Ioas);
    if (typeof source === 'number') return source;
    if (length === 0n) return -EINVAL;
    if (wraps(srcIova, length)) return -EOVERFLOW;
    const pieces = source.areas.pieces(Number(srcIova), Number(srcIova + length));
    if (typeof pieces === 'number') return pieces;
    const target = context.find(dstIoasId, Ioas);
    if (typeof target === 'number') return target;
    return mapped(target, flags, dstIova, pieces, (at) => ({ dstIova: at }));
  },
);

/** IOMMU_IOAS_UNMAP: 0 and U64_MAX stand for everything, which may be nothing. */
export const ioasUnmap = command(
  iommuIoasUnmap,
  iommuIoasUnmap.size,
  (context, { ioasId, iova, length }) => {
    const ioas = context.find(ioasId, Ioas);
    if (typeof ioas === 'number') return ioas;
    const all = iova === 0n && length === U64_MAX;
    if (!all && (iova >= U64_MAX || length >= U64_MAX)) return -EOVERFLOW;
    if (length === 0n) return -EINVAL;
    if (!all && wraps(iova, length)) return -EOVERFLOW;
    const end = all ? ADDRESS_END : Number(iova + length);
    const { partialUnmapRemoves } = context.parameters.quirks;
    const partial = partialUnmapRemoves ? 'stop' : 'refuse';
    const { error, bytes } = ioas.unmap(Number(iova), end, partial);
    if (error !== 0) return error;
    return bytes === 0 && !all ? -ENOENT : { length: BigInt.asUintN(64, BigInt(bytes)) };
  },
);

/** IOMMU_IOAS_CHANGE_PROCESS: the caller pays for everything from now on; only files can be mapped. */
export const ioasChangeProcess = command(
  iommuIoasChangeProcess,
  iommuIoasChangeProcess.size,
  (context, { reserved }, caller) => {
    if (reserved !== 0) return -EOPNOTSUPP;
    const all = new Set<IoPages>();
    for (const object of context.objects)
      if (object instanceof Ioas)
        for (const row of object.areas.rows()) all.add(object.areas.object(row));
    if ([...all].some(({ source }) => source.type === 'user')) return -EINVAL;
    const moved: { pages: IoPages; from: Process }[] = [];
    for (const pages of all) {
      const from = pages.payer;
      const error = pages.chargeTo(caller);
      if (error !== 0) {
        for (const undo of moved) undo.pages.chargeTo(undo.from);
        return error;
      }
      moved.push({ pages, from });
    }
    return 0;
  },
);

function accessOf(flags: number): DmaAccess {
  return (
    (flags & IOMMU_IOAS_MAP_READABLE ? DMA_READ : 0) |
    (flags & IOMMU_IOAS_MAP_WRITEABLE ? DMA_WRITE : 0)
  );
}

/** Maps pieces and tells where they are. */
function mapped<T>(
  ioas: Ioas,
  flags: number,
  iova: bigint,
  pieces: readonly IoPiece[],
  out: (iova: bigint) => T,
): T | number {
  const fixed = (flags & IOMMU_IOAS_MAP_FIXED_IOVA) !== 0;
  if (fixed && !exact(iova)) return -EINVAL;
  const length = pieces.reduce((sum, part) => sum + part.length, 0);
  const at = ioas.map(
    { iova: fixed ? Number(iova) : undefined, length, access: accessOf(flags) },
    pieces,
  );
  return at < 0 ? at : out(BigInt(at));
}

const piece = (pages: IoPages): IoPiece => ({ pages, offset: 0, length: pages.length });

function newPages(
  context: IommufdContext,
  source: IoSource,
  length: number,
  flags: number,
  caller: Process,
): IoPages | undefined {
  if (!context.faults.allocates()) return undefined;
  const mode = source.type === 'dma-buf' ? 'none' : context.accountMode(caller);
  const writable = (flags & IOMMU_IOAS_MAP_WRITEABLE) !== 0;
  return new IoPages(context, source, length, writable, caller, mode);
}

/** What of a file is mapped: `-EINVAL` beyond its end or for a file that has no memory, `-ENODEV` for a revoked buffer. */
function sourceOf(file: VfioFile, start: bigint, length: bigint): IoSource | number {
  if (file instanceof MemFile)
    return start + length > BigInt(file.memory.size)
      ? -EINVAL
      : { type: 'file', file, address: Number(start) };
  if (file.kind !== 'dma-buf') return -EINVAL;
  const buffer = file as DmaBufFile;
  const ranges = buffer.map();
  if (typeof ranges === 'number') return -ENODEV;
  const range = ranges[0];
  if (ranges.length !== 1 || range === undefined || start + length > range.length) return -EINVAL;
  const address = Number(range.iova + start);
  const memory = { address, size: Number(length), writable: true, deviceMemory: true };
  return { type: 'dma-buf', buffer, memory };
}
