import { EAGAIN, EFAULT, EINVAL, EIO } from '@vfiokit/uapi';
import { CommandFault } from '../fake/command-fault.js';
import { sealState, unsealState } from '../fake/sealed-state.js';
import type { DmaMemory } from './dma-memory.js';
import {
  PDS_LM_CMD,
  PDS_LM_DIRTY_BMP_TYPE_SEQ_ACK,
  type PdsLmDirtyRegionInfo,
  pdsLmCmd,
  pdsLmDirtyEnableCmd,
  pdsLmDirtyRegionInfo,
  pdsLmDirtySeqAckCmd,
  pdsLmDirtyStatusComp,
  pdsLmSaveCmd,
  pdsLmSgElem,
  pdsLmStateSizeComp,
  pdsLmTypeCmd,
} from './pds-adminq.js';
import { PdsCore } from './pds-core.js';

const CMD = PDS_LM_CMD;
const NAMES = new Map<number, string>(Object.entries(CMD).map(([name, opcode]) => [opcode, name]));
/** Commands that have a type or a status of their own. */
const TYPED: ReadonlySet<number> = new Set([
  CMD.HOST_VF_STATUS,
  CMD.SUSPEND,
  CMD.SUSPEND_STATUS,
  CMD.RESUME,
]);

/** The device tracks whole words of its map. */
const PAGES_OF_A_WORD = 32;

/** A VF as the fake PF keeps it. */
export class FakePdsVf {
  state: Uint8Array = new Uint8Array(0);
  /** How often asking for the end of a suspension says that it is not there yet. */
  pending = 0;
  tracking = false;
  /** As they are tracked: of whole words. */
  regions: readonly PdsLmDirtyRegionInfo[] = [];
  /** A bit for every page of the regions; the device flips it. */
  seq = new Uint8Array(0);
  /** What the host acknowledged. */
  ack = new Uint8Array(0);

  /** The device's DMA writes a page of its first region: it differs from what was acknowledged. */
  dirty(iova: bigint): void {
    const { dmaBase, pageSizeLog2 } = this.regions[0]!;
    const page = Number((iova - dmaBase) >> BigInt(pageSizeLog2));
    const at = page >>> 3;
    const bit = 1 << (page & 7);
    this.seq[at] = (this.seq[at]! & ~bit) | (~this.ack[at]! & bit);
  }
}

export interface FakePdsCoreOptions {
  /** How many regions a VF can track. */
  readonly maxRegions?: number;
  /** Whether it keeps two bits for every page. */
  readonly seqAck?: boolean;
}

/** A PF whose VFs are in memory: for tests, and for modelled machines. */
export class FakePdsCore extends PdsCore {
  /** Every command so far, as name and type. */
  readonly log: string[] = [];
  readonly fault = new CommandFault();
  readonly #vfs = new Map<number, FakePdsVf>();
  readonly #maxRegions: number;
  readonly #bmpTypeMask: number;

  constructor({ maxRegions = 8, seqAck = true }: FakePdsCoreOptions = {}) {
    super();
    this.#maxRegions = maxRegions;
    this.#bmpTypeMask = seqAck ? 1 << PDS_LM_DIRTY_BMP_TYPE_SEQ_ACK : 0;
  }

  /** A VF, counted from 0. */
  vf(index: number): FakePdsVf {
    const vf = this.#vfs.get(index) ?? new FakePdsVf();
    this.#vfs.set(index, vf);
    return vf;
  }

  execute(command: Uint8Array, memory: DmaMemory): Uint8Array | number {
    const { opcode, vfId } = pdsLmCmd.decode(command);
    const { type } = pdsLmTypeCmd.decode(command);
    this.log.push(`${NAMES.get(opcode)}${TYPED.has(opcode) ? ` ${type}` : ''}`);
    return this.fault.strikes() ? -EIO : this.#execute(opcode, this.vf(vfId), command, memory);
  }

  #execute(
    opcode: number,
    vf: FakePdsVf,
    command: Uint8Array,
    memory: DmaMemory,
  ): Uint8Array | number {
    switch (opcode) {
      case CMD.SUSPEND_STATUS:
        vf.pending -= 1;
        return vf.pending >= 0 ? -EAGAIN : 0;
      case CMD.STATE_SIZE:
        return pdsLmStateSizeComp.encode({ sizeLow: sealState(vf.state).length });
      case CMD.SAVE:
        return scatter(sealState(vf.state), pieces(pdsLmSaveCmd.decode(command), memory));
      case CMD.RESTORE:
        return restore(vf, gather(pieces(pdsLmSaveCmd.decode(command), memory)));
      case CMD.DIRTY_STATUS:
        return pdsLmDirtyStatusComp.encode({
          maxRegions: this.#maxRegions,
          numRegions: vf.tracking ? Math.max(1, vf.regions.length) : 0,
          bmpType: vf.tracking ? PDS_LM_DIRTY_BMP_TYPE_SEQ_ACK : 0,
          bmpTypeMask: this.#bmpTypeMask,
        });
      case CMD.DIRTY_ENABLE:
        return track(vf, command, memory);
      case CMD.DIRTY_DISABLE:
        vf.tracking = false;
        return 0;
      case CMD.DIRTY_READ_SEQ: {
        const { offBytes, lenBytes, ...list } = pdsLmDirtySeqAckCmd.decode(command);
        return scatter(vf.seq.subarray(offBytes, offBytes + lenBytes), pieces(list, memory));
      }
      case CMD.DIRTY_WRITE_ACK: {
        const { offBytes, ...list } = pdsLmDirtySeqAckCmd.decode(command);
        vf.ack.set(gather(pieces(list, memory)), offBytes);
        return 0;
      }
      default:
        return 0;
    }
  }
}

/** The memory that a list leads to, piece by piece; undefined if some of it is not there. */
function pieces(
  { sglAddr, numSge }: { readonly sglAddr: bigint; readonly numSge: number },
  memory: DmaMemory,
): readonly (Uint8Array | undefined)[] {
  const list = memory.at(sglAddr, numSge * pdsLmSgElem.size);
  return Array.from({ length: numSge }, (_, index) => {
    if (list === undefined) return undefined;
    const { addr, len } = pdsLmSgElem.decode(list, index * pdsLmSgElem.size);
    return memory.at(addr, len);
  });
}

function gather(memory: readonly (Uint8Array | undefined)[]): Uint8Array {
  const bytes = new Uint8Array(memory.reduce((sum, piece) => sum + (piece?.length ?? 0), 0));
  let at = 0;
  for (const piece of memory) {
    bytes.set(piece ?? [], at);
    at += piece?.length ?? 0;
  }
  return bytes;
}

/** 0, or `-EFAULT` where there is no room for all of the bytes. */
function scatter(bytes: Uint8Array, memory: readonly (Uint8Array | undefined)[]): number {
  let at = 0;
  for (const piece of memory) {
    if (piece === undefined) return -EFAULT;
    piece.set(bytes.subarray(at, at + piece.length));
    at += piece.length;
  }
  return at < bytes.length ? -EFAULT : 0;
}

/** Nothing at all is no state. */
function restore(vf: FakePdsVf, sealed: Uint8Array): number {
  if (sealed.length === 0) return 0;
  const state = unsealState(sealed);
  if (state === undefined) return -EINVAL;
  vf.state = state;
  return 0;
}

/** Regions are enlarged to whole words, of which the driver is told where it told of them. */
function track(vf: FakePdsVf, command: Uint8Array, memory: DmaMemory): number {
  const { numRegions, regionsDma } = pdsLmDirtyEnableCmd.decode(command);
  const { size } = pdsLmDirtyRegionInfo;
  const list = memory.at(regionsDma, numRegions * size);
  if (list === undefined) return -EFAULT;
  vf.regions = Array.from({ length: numRegions }, (_, index) => {
    const region = pdsLmDirtyRegionInfo.decode(list, index * size);
    const pageCount = Math.ceil(region.pageCount / PAGES_OF_A_WORD) * PAGES_OF_A_WORD;
    pdsLmDirtyRegionInfo.encode({ pageCount }, list, index * size);
    return { ...region, pageCount };
  });
  const bytes = vf.regions.reduce((sum, { pageCount }) => sum + pageCount / 8, 0);
  vf.seq = new Uint8Array(bytes);
  vf.ack = new Uint8Array(bytes);
  vf.tracking = true;
  return 0;
}
