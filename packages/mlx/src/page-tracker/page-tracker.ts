import { combineIovaRanges, type DirtyLogOps, type IovaRange } from '@vfiokit/core';
import { EINVAL, EIO, ENOTCONN, EOPNOTSUPP } from '@vfiokit/uapi';
import { commandErrno, type FirmwareEvent, type Mlx5Commands } from '../command-interface.js';
import { MLX5_CMD_OP } from '../commands.js';
import type { Vhca } from '../migration/vhca.js';
import {
  generalObjectIn,
  generalObjectOut,
  MLX5_OBJ_TYPE_PAGE_TRACK,
  PAGE_TRACK_MODIFY_REPORT,
  PAGE_TRACK_STATE_ERROR,
  PAGE_TRACK_STATE_REPORTING,
  PAGE_TRACK_TYPE,
  type PageTrackCaps,
  pageTrack,
  pageTrackRange,
} from './layout.js';
import { ReportQueue } from './report-queue.js';

const OP = MLX5_CMD_OP;

/** A tracker that is running. */
interface ActiveTracker {
  readonly objectId: number;
  readonly queue: ReportQueue;
  readonly unlisten: () => void;
  /** Pages may have been missed; only stopping helps. */
  failed: boolean;
}

/** Which pages a VF's DMA wrote, as the firmware tracks them (drivers/vfio/pci/mlx5/cmd.c: mlx5vf_start_page_tracker). */
export class PageTracker implements DirtyLogOps {
  #active: ActiveTracker | undefined;

  constructor(
    private readonly vhca: Vhca,
    private readonly commands: Mlx5Commands,
    private readonly caps: PageTrackCaps,
  ) {}

  /**
   * The page size that is tracked; `-ENOTCONN` of a VF that is disabled, `-EINVAL` while it tracks already, `-EOPNOTSUPP` for
   * ranges that are too large or too small, what the firmware refuses with.
   */
  start(ranges: readonly IovaRange[], pageSize: bigint): bigint | number {
    if (this.vhca.detached) return -ENOTCONN;
    if (this.#active !== undefined) return -EINVAL;
    const queue = ReportQueue.create(this.commands, this.caps.logMaxMsgSize);
    if (typeof queue === 'number') return queue;
    const logPageSize = clamp(log2(pageSize), this.caps.logMinPageSize, this.caps.logMaxPageSize);
    const objectId = this.#createTracker(queue, ranges, logPageSize);
    if (objectId < 0) {
      queue.destroy();
      return objectId;
    }
    const unlisten = this.commands.listen((event) => this.#happened(event));
    this.#active = { objectId, queue, unlisten, failed: false };
    return 1n << BigInt(logPageSize);
  }

  /** Always 0, whether it was started or not. */
  stop(): number {
    const active = this.#active;
    if (active === undefined) return 0;
    this.#active = undefined;
    active.unlisten();
    this.#object(OP.DESTROY_GENERAL_OBJECT, active.objectId);
    active.queue.destroy();
    return 0;
  }

  /** `-EINVAL` unless it was started, `-ENOTCONN` of a VF that is disabled, `-EIO` once the tracker has failed. */
  readAndClear({ iova, length }: IovaRange, dirty: (page: bigint) => void): number {
    const active = this.#active;
    if (active === undefined) return -EINVAL;
    if (this.vhca.detached) return -ENOTCONN;
    if (active.failed) return -EIO;
    const asked = this.#object(OP.MODIFY_GENERAL_OBJECT, active.objectId, {
      modifyFieldSelect: PAGE_TRACK_MODIFY_REPORT,
      state: PAGE_TRACK_STATE_REPORTING,
      rangeStartAddress: iova,
      length,
    });
    if (asked < 0) return asked;
    const states = { reporting: PAGE_TRACK_STATE_REPORTING, error: PAGE_TRACK_STATE_ERROR };
    const result = active.queue.drain(states, dirty);
    active.failed ||= result < 0;
    return result;
  }

  /** The last close, or the VF goes away. */
  close(): void {
    if (this.#active !== undefined) this.#active.failed = true;
    this.stop();
  }

  #createTracker(queue: ReportQueue, ranges: readonly IovaRange[], logPageSize: number): number {
    const { caps } = this;
    const tracked = combineIovaRanges(ranges, caps.maxNumRange);
    const logSpace = log2(tracked.reduce((sum, { length }) => sum + length, 0n));
    if (logSpace < caps.logMinAddrSpace || logSpace > caps.logMaxAddrSpace) return -EOPNOTSUPP;
    const first = generalObjectIn.size + pageTrack.size;
    const input = new Uint8Array(first + tracked.length * pageTrackRange.size);
    generalObjectIn.encode(
      { opcode: OP.CREATE_GENERAL_OBJECT, objectType: MLX5_OBJ_TYPE_PAGE_TRACK },
      input,
    );
    const object = {
      vhcaId: this.vhca.id,
      trackType: PAGE_TRACK_TYPE,
      logAddrSpaceSize: logSpace,
      logPageSize,
      logMsgSize: caps.logMaxMsgSize,
      reportingQpn: queue.firmwarePair,
      numRanges: tracked.length,
    };
    pageTrack.encode(object, input, generalObjectIn.size);
    for (const [index, { iova: start, length }] of tracked.entries())
      pageTrackRange.encode({ start, length }, input, first + index * pageTrackRange.size);
    const output = this.commands.execute(input);
    return commandErrno(output) || generalObjectOut.decode(output).objectId;
  }

  #object(
    opcode: number,
    objectId: number,
    object: Parameters<typeof pageTrack.encode>[0] = {},
  ): number {
    const input = new Uint8Array(generalObjectIn.size + pageTrack.size);
    const objectType = MLX5_OBJ_TYPE_PAGE_TRACK;
    generalObjectIn.encode({ opcode, objectType, objectId }, input);
    pageTrack.encode(object, input, generalObjectIn.size);
    return commandErrno(this.commands.execute(input));
  }

  /** An error of a queue ends the tracker; a change of the object makes the driver look at it. */
  #happened(event: FirmwareEvent): void {
    const active = this.#active;
    if (active === undefined) return;
    switch (event.kind) {
      case 'object-change':
        if (event.objectId === active.objectId) active.failed ||= this.#isInError(active.objectId);
        return;
      case 'cq-error':
        active.failed ||= event.number === active.queue.completionQueue;
        return;
      case 'qp-error':
        active.failed ||=
          event.number === active.queue.hostPair || event.number === active.queue.firmwarePair;
        return;
      default:
        event satisfies never;
    }
  }

  #isInError(objectId: number): boolean {
    const opcode = OP.QUERY_GENERAL_OBJECT;
    const objectType = MLX5_OBJ_TYPE_PAGE_TRACK;
    const output = this.commands.execute(generalObjectIn.encode({ opcode, objectType, objectId }));
    if (commandErrno(output) < 0) return true;
    return pageTrack.decode(output, generalObjectOut.size).state === PAGE_TRACK_STATE_ERROR;
  }
}

/** The logarithm of the next power of two. */
function log2(value: bigint): number {
  return value <= 1n ? 0 : (value - 1n).toString(2).length;
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
