import { combineIovaRanges, type DirtyLogOps, type IovaRange } from '@vfiokit/core';
import { EEXIST, EINVAL, EOPNOTSUPP } from '@vfiokit/uapi';
import type { PdsLmDirtyRegionInfo } from './pds-adminq.js';
import type { PdsVf } from './pds-vf.js';

/** A range that the device tracks: a bit for every page, in two copies. */
interface TrackedRegion {
  readonly range: IovaRange;
  /** Where its bits start in the device's maps, in bytes. */
  readonly offset: number;
  /** What the host has seen. */
  readonly ack: Uint8Array;
}

/** Dirty pages of a Pensando VF: the device flips a bit of `seq`, the host makes `ack` equal (drivers/vfio/pci/pds/dirty.c). */
export class PdsDirtyLog implements DirtyLogOps {
  #regions: readonly TrackedRegion[] | undefined;
  #pageSize = 4096n;

  constructor(private readonly vf: PdsVf) {}

  get active(): boolean {
    return this.#regions !== undefined;
  }

  /** `-EINVAL` twice, `-EEXIST` for a device that tracks already, `-EOPNOTSUPP` for one that can't. */
  start(ranges: readonly IovaRange[], pageSize: bigint): bigint | number {
    if (this.active) return -EINVAL;
    const status = this.vf.dirtyStatus();
    if (typeof status === 'number') return status;
    if (status.numRegions > 0) return -EEXIST;
    if (status.maxRegions === 0 || !status.seqAck || ranges.length === 0) return -EOPNOTSUPP;
    const combined = combineIovaRanges(ranges, status.maxRegions);
    const tracked = this.vf.dirtyEnable(
      combined.map(({ iova, length }) => ({
        dmaBase: iova,
        pageCount: Number((length + pageSize - 1n) / pageSize),
        pageSizeLog2: pageSize.toString(2).length - 1,
      })),
    );
    if (typeof tracked === 'number') return tracked;
    this.#pageSize = pageSize;
    this.#regions = layRegions(combined, tracked);
    return pageSize;
  }

  stop(): number {
    if (this.active) this.vf.dirtyDisable();
    this.forget();
    return 0;
  }

  /** The device is not there to be told. */
  forget(): void {
    this.#regions = undefined;
  }

  readAndClear({ iova, length }: IovaRange, dirty: (page: bigint) => void): number {
    const region = this.#regions?.find(
      ({ range }) => iova >= range.iova && iova < range.iova + range.length,
    );
    if (region === undefined || length === 0n) return -EINVAL;
    if (iova + length > region.range.iova + region.range.length) return -EINVAL;
    const { range, offset } = region;
    const first = Number((iova - range.iova) / this.#pageSize);
    const last = Number((iova + length - 1n - range.iova) / this.#pageSize);
    // Only the bytes of the map that have these pages' bits go to and fro.
    const start = first >>> 3;
    const ack = region.ack.subarray(start, (last >>> 3) + 1);
    const seq = new Uint8Array(ack.length);
    const error = this.vf.readSeq(offset + start, seq);
    if (error < 0) return error;
    for (let page = first; page <= last; page += 1) {
      const at = (page >>> 3) - start;
      const bit = 1 << (page & 7);
      if (((seq[at]! ^ ack[at]!) & bit) === 0) continue;
      dirty(range.iova + BigInt(page) * this.#pageSize);
      ack[at] = ack[at]! ^ bit;
    }
    return this.vf.writeAck(offset + start, ack);
  }
}

/** Regions lie in the maps one behind the other, with as many pages as the device tracks of each. */
function layRegions(
  ranges: readonly IovaRange[],
  tracked: readonly PdsLmDirtyRegionInfo[],
): TrackedRegion[] {
  let offset = 0;
  return tracked.map(({ pageCount }, index) => {
    const ack = new Uint8Array(Math.ceil(pageCount / 8));
    const region = { range: ranges[index]!, offset, ack };
    offset += ack.length;
    return region;
  });
}
