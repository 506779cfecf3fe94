import { combineIovaRanges, type DirtyLogOps, type IovaRange } from '@vfiokit/core';
import { EEXIST, EINVAL, EOPNOTSUPP } from '@vfiokit/uapi';
import { PDS_LM_CMD, type PdsCore } from './pds-core.js';

/** A range that the device tracks: a bit for every page, in two copies. */
interface TrackedRegion {
  readonly range: IovaRange;
  /** Where its bits start in the device's maps, in bytes. */
  readonly offset: number;
  readonly bytes: number;
  /** What the host has seen. */
  readonly ack: Uint8Array;
}

/** Dirty pages of a Pensando VF: the device flips a bit of `seq`, the host makes `ack` equal (drivers/vfio/pci/pds/dirty.c). */
export class PdsDirtyLog implements DirtyLogOps {
  #regions: readonly TrackedRegion[] | undefined;
  #pageSize = 4096n;

  constructor(
    private readonly core: PdsCore,
    private readonly vf: number,
    /** How many ranges the device can track; 0 if it can't. */
    private readonly maxRegions: number,
  ) {}

  get active(): boolean {
    return this.#regions !== undefined;
  }

  /** `-EINVAL` twice, `-EEXIST` for a device that tracks already, `-EOPNOTSUPP` for one that can't. */
  start(ranges: readonly IovaRange[], pageSize: bigint): bigint | number {
    if (this.active) return -EINVAL;
    const tracking = this.core.execute({ opcode: PDS_LM_CMD.DIRTY_STATUS, vf: this.vf });
    if (tracking < 0) return tracking;
    if (tracking > 0) return -EEXIST;
    if (this.maxRegions === 0 || ranges.length === 0) return -EOPNOTSUPP;
    const tracked = combineIovaRanges(ranges, this.maxRegions);
    const logPage = pageSize.toString(2).length - 1;
    const error = this.core.execute({
      opcode: PDS_LM_CMD.DIRTY_ENABLE,
      vf: this.vf,
      ranges: tracked.map(({ iova, length }) => ({
        base: iova,
        pages: Number((length + pageSize - 1n) / pageSize),
        logPage,
      })),
    });
    if (error < 0) return error;
    this.#pageSize = pageSize;
    this.#regions = layRegions(tracked, pageSize);
    return pageSize;
  }

  stop(): number {
    if (this.active) this.core.execute({ opcode: PDS_LM_CMD.DIRTY_DISABLE, vf: this.vf });
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
    const { vf } = this;
    const { offset, bytes, ack } = region;
    const seq = new Uint8Array(bytes);
    const opcode = PDS_LM_CMD.DIRTY_READ_SEQ;
    const error = this.core.execute({ opcode, vf, offset, memory: seq });
    if (error < 0) return error;
    const first = Number((iova - region.range.iova) / this.#pageSize);
    const last = Number((iova + length - 1n - region.range.iova) / this.#pageSize);
    for (let page = first; page <= last; page += 1) {
      const bit = 1 << (page & 7);
      const at = page >>> 3;
      if (((seq[at]! ^ ack[at]!) & bit) === 0) continue;
      dirty(region.range.iova + BigInt(page) * this.#pageSize);
      ack[at] = ack[at]! ^ bit;
    }
    return this.core.execute({ opcode: PDS_LM_CMD.DIRTY_WRITE_ACK, vf, offset, memory: ack });
  }
}

function layRegions(ranges: readonly IovaRange[], pageSize: bigint): TrackedRegion[] {
  let offset = 0;
  return ranges.map((range) => {
    const pages = Number((range.length + pageSize - 1n) / pageSize);
    const bytes = Math.ceil(pages / 8);
    const region = { range, offset, bytes, ack: new Uint8Array(bytes) };
    offset += bytes;
    return region;
  });
}
