import { DmaMemory } from './dma-memory.js';
import {
  PDS_LM_CMD,
  PDS_LM_DIRTY_BMP_TYPE_SEQ_ACK,
  type PdsLmDirtyRegionInfo,
  pdsLmCmd,
  pdsLmDirtyEnableCmd,
  pdsLmDirtyRegionInfo,
  pdsLmDirtySeqAckCmd,
  pdsLmDirtyStatusCmd,
  pdsLmDirtyStatusComp,
  pdsLmSaveCmd,
  pdsLmSgElem,
  pdsLmStateSizeComp,
  pdsLmTypeCmd,
} from './pds-adminq.js';
import type { PdsCore } from './pds-core.js';

/** A list names memory page by page. */
const PAGE_SIZE = 4096;

/** What a device can track, and what it tracks. */
export interface PdsDirtyStatus {
  readonly maxRegions: number;
  readonly numRegions: number;
  /** It keeps two bits for every page. */
  readonly seqAck: boolean;
}

/** A VF, by command of its PF (drivers/vfio/pci/pds/cmds.c). Methods return 0 or more, or a negated errno. */
export class PdsVf {
  readonly #memory = new DmaMemory();

  constructor(
    private readonly core: PdsCore,
    /** Counted from 0. */
    private readonly vfId: number,
  ) {}

  /** Tells the host's side whether the VF moves; PDS_LM_STA_*. */
  hostStatus(status: number): number {
    return this.#withType(PDS_LM_CMD.HOST_VF_STATUS, status);
  }

  /** Begins to suspend the VF; PDS_LM_SUSPEND_RESUME_TYPE_*. */
  suspend(type: number): number {
    return this.#withType(PDS_LM_CMD.SUSPEND, type);
  }

  /** 0 once it is suspended, `-EAGAIN` until then. */
  suspendStatus(type: number): number {
    return this.#withType(PDS_LM_CMD.SUSPEND_STATUS, type);
  }

  resume(type: number): number {
    return this.#withType(PDS_LM_CMD.RESUME, type);
  }

  /** Bytes of its state. */
  stateSize(): number {
    const completion = this.#execute(pdsLmCmd.encode(this.#header(PDS_LM_CMD.STATE_SIZE)));
    if (typeof completion === 'number') return completion;
    const { sizeLow, sizeHigh } = pdsLmStateSizeComp.decode(completion);
    return sizeLow + sizeHigh * 2 ** 32;
  }

  save(into: Uint8Array): number {
    return this.#transferState(PDS_LM_CMD.SAVE, into);
  }

  restore(from: Uint8Array): number {
    return this.#transferState(PDS_LM_CMD.RESTORE, from);
  }

  dirtyStatus(): PdsDirtyStatus | number {
    const header = this.#header(PDS_LM_CMD.DIRTY_STATUS);
    const completion = this.#execute(pdsLmDirtyStatusCmd.encode(header));
    if (typeof completion === 'number') return completion;
    const { maxRegions, numRegions, bmpTypeMask } = pdsLmDirtyStatusComp.decode(completion);
    return {
      maxRegions,
      numRegions,
      seqAck: ((bmpTypeMask >> PDS_LM_DIRTY_BMP_TYPE_SEQ_ACK) & 1) === 1,
    };
  }

  /** Tracks regions; as the device tracks them, with more pages perhaps. */
  dirtyEnable(regions: readonly PdsLmDirtyRegionInfo[]): readonly PdsLmDirtyRegionInfo[] | number {
    const { size } = pdsLmDirtyRegionInfo;
    const list = new Uint8Array(regions.length * size);
    for (const [index, region] of regions.entries())
      pdsLmDirtyRegionInfo.encode(region, list, index * size);
    const error = this.#mapped(list, (regionsDma) =>
      this.#status(
        pdsLmDirtyEnableCmd.encode({
          ...this.#header(PDS_LM_CMD.DIRTY_ENABLE),
          bmpType: PDS_LM_DIRTY_BMP_TYPE_SEQ_ACK,
          numRegions: regions.length,
          regionsDma,
        }),
      ),
    );
    if (error < 0) return error;
    return regions.map((_, index) => pdsLmDirtyRegionInfo.decode(list, index * size));
  }

  dirtyDisable(): number {
    return this.#status(pdsLmCmd.encode(this.#header(PDS_LM_CMD.DIRTY_DISABLE)));
  }

  /** Reads the device's bits from a byte of its map on. */
  readSeq(offBytes: number, into: Uint8Array): number {
    return this.#transferMap(PDS_LM_CMD.DIRTY_READ_SEQ, offBytes, into);
  }

  /** Writes the host's bits. */
  writeAck(offBytes: number, from: Uint8Array): number {
    return this.#transferMap(PDS_LM_CMD.DIRTY_WRITE_ACK, offBytes, from);
  }

  #withType(opcode: number, type: number): number {
    return this.#status(pdsLmTypeCmd.encode({ ...this.#header(opcode), type }));
  }

  #transferState(opcode: number, bytes: Uint8Array): number {
    return this.#withList(bytes, (sglAddr, numSge) =>
      this.#status(pdsLmSaveCmd.encode({ ...this.#header(opcode), sglAddr, numSge })),
    );
  }

  #transferMap(opcode: number, offBytes: number, bytes: Uint8Array): number {
    const lenBytes = bytes.length;
    return this.#withList(bytes, (sglAddr, numSge) =>
      this.#status(
        pdsLmDirtySeqAckCmd.encode({
          ...this.#header(opcode),
          offBytes,
          lenBytes,
          numSge,
          sglAddr,
        }),
      ),
    );
  }

  /** The adapter reaches bytes through a list of their pages while a command is carried out. */
  #withList(bytes: Uint8Array, run: (address: bigint, entries: number) => number): number {
    const entries = Math.ceil(bytes.length / PAGE_SIZE);
    const list = new Uint8Array(entries * pdsLmSgElem.size);
    return this.#mapped(bytes, (start) => {
      for (let at = 0; at < bytes.length; at += PAGE_SIZE) {
        const len = Math.min(PAGE_SIZE, bytes.length - at);
        const entry = { addr: start + BigInt(at), len };
        pdsLmSgElem.encode(entry, list, (at / PAGE_SIZE) * pdsLmSgElem.size);
      }
      return this.#mapped(list, (address) => run(address, entries));
    });
  }

  #mapped(bytes: Uint8Array, run: (address: bigint) => number): number {
    const address = this.#memory.map(bytes);
    const result = run(address);
    this.#memory.unmap(address);
    return result;
  }

  #header(opcode: number) {
    return { opcode, vfId: this.vfId };
  }

  #status(command: Uint8Array): number {
    const result = this.#execute(command);
    return typeof result === 'number' ? result : 0;
  }

  #execute(command: Uint8Array): Uint8Array | number {
    return this.core.execute(command, this.#memory);
  }
}
