import { ENOMEM, ENOTCONN } from '@vfiokit/uapi';
import { commandErrno, type Mlx5Commands } from '../command-interface.js';
import {
  createOut,
  loadVhcaStateIn,
  MLX5_CMD_OP,
  numberIn,
  queryVhcaMigrationStateIn,
  queryVhcaMigrationStateOut,
  RESUME_INITIATOR,
  RESUME_RESPONDER,
  SUSPEND_INITIATOR,
  SUSPEND_RESPONDER,
  saveVhcaStateIn,
  VHCA_MIGRATION_STATE_INIT,
  vhcaIn,
} from '../commands.js';

/** The largest buffer that SAVE and LOAD can name: 2^32 less a page. */
export const MAX_BUFFER = 2 ** 32 - 4096;
const PAGE_SIZE = 4096;

/** What a SAVE is asked for: which buffer, only changes or everything, and whether tracking goes on. */
export interface SaveOrder {
  readonly buffer: VhcaBuffer;
  readonly incremental: boolean;
  readonly track: boolean;
}

/** Memory that the firmware reaches, by its key. */
export interface VhcaBuffer {
  readonly memory: Uint8Array;
  readonly mkey: number;
}

/** What a device's image would take. */
export interface ImageSizes {
  /** Bytes of the buffer for the next SAVE. */
  readonly required: number;
  /** Bytes of all of it. */
  readonly total: bigint;
  /** It was initialised anew. */
  readonly reinitialised: boolean;
}

/**
 * A VF's virtual HCA, by command (drivers/vfio/pci/mlx5/cmd.c). Methods return 0 or more, or a negated errno; all of
 * them `-ENOTCONN` once the PF has disabled the VF.
 */
export class Vhca {
  /** The PF has disabled the VF. */
  detached = false;

  constructor(
    readonly id: number,
    private readonly commands: Mlx5Commands,
    private readonly chunk: boolean,
  ) {}

  suspendInitiator(): number {
    return this.#vhca(MLX5_CMD_OP.SUSPEND_VHCA, SUSPEND_INITIATOR);
  }

  suspendResponder(): number {
    return this.#vhca(MLX5_CMD_OP.SUSPEND_VHCA, SUSPEND_RESPONDER);
  }

  resumeResponder(): number {
    return this.#vhca(MLX5_CMD_OP.RESUME_VHCA, RESUME_RESPONDER);
  }

  resumeInitiator(): number {
    return this.#vhca(MLX5_CMD_OP.RESUME_VHCA, RESUME_INITIATOR);
  }

  /** @param incremental only what changed since it was last saved. */
  query(incremental: boolean): ImageSizes | number {
    if (this.detached) return -ENOTCONN;
    const output = this.commands.execute(
      queryVhcaMigrationStateIn.encode({
        opcode: MLX5_CMD_OP.QUERY_VHCA_MIGRATION_STATE,
        incremental: incremental ? 1 : 0,
        chunk: this.chunk ? 1 : 0,
        vhcaId: this.id,
      }),
    );
    const error = commandErrno(output);
    if (error < 0) return error;
    const answer = queryVhcaMigrationStateOut.decode(output);
    return {
      required: answer.requiredUmemSize,
      total: this.chunk ? answer.remainingTotalSize : BigInt(answer.requiredUmemSize),
      reinitialised: answer.migrationState === VHCA_MIGRATION_STATE_INIT,
    };
  }

  /** Begins a SAVE; the raw output comes when it has ended. */
  save({ buffer, incremental, track }: SaveOrder, done: (output: Uint8Array) => void): number {
    if (this.detached) return -ENOTCONN;
    this.commands.begin(
      saveVhcaStateIn.encode({
        opcode: MLX5_CMD_OP.SAVE_VHCA_STATE,
        incremental: incremental ? 1 : 0,
        setTrack: track ? 1 : 0,
        vhcaId: this.id,
        mkey: buffer.mkey,
        size: buffer.memory.length,
      }),
      done,
    );
    return 0;
  }

  /** @param length bytes of the image, from the buffer's start. */
  load({ mkey }: VhcaBuffer, length: number): number {
    if (this.detached) return -ENOTCONN;
    const opcode = MLX5_CMD_OP.LOAD_VHCA_STATE;
    const input = loadVhcaStateIn.encode({ opcode, vhcaId: this.id, mkey, size: length });
    return commandErrno(this.commands.execute(input));
  }

  /** Lets a SAVE that is under way come to its end. */
  settle(): void {
    this.commands.settle();
  }

  // --- what buffers take ---

  allocPd(): number {
    return this.#create(MLX5_CMD_OP.ALLOC_PD);
  }

  deallocPd(pd: number): void {
    this.#destroy(MLX5_CMD_OP.DEALLOC_PD, pd);
  }

  /** Memory of whole pages under a key; a negated errno, `-ENOMEM` for more than a SAVE or LOAD can name. */
  allocBuffer(bytes: number): VhcaBuffer | number {
    if (this.detached) return -ENOTCONN;
    const size = Math.max(1, Math.ceil(bytes / PAGE_SIZE)) * PAGE_SIZE;
    const memory = size > MAX_BUFFER ? undefined : allocate(size);
    if (memory === undefined) return -ENOMEM;
    const mkey = this.#create(MLX5_CMD_OP.CREATE_MKEY, memory);
    return mkey < 0 ? mkey : { memory, mkey };
  }

  freeBuffer({ mkey }: VhcaBuffer): void {
    this.#destroy(MLX5_CMD_OP.DESTROY_MKEY, mkey);
  }

  #vhca(opcode: number, opMod: number): number {
    if (this.detached) return -ENOTCONN;
    return commandErrno(this.commands.execute(vhcaIn.encode({ opcode, opMod, vhcaId: this.id })));
  }

  #create(opcode: number, memory?: Uint8Array): number {
    if (this.detached) return -ENOTCONN;
    const output = this.commands.execute(numberIn.encode({ opcode }), memory);
    return commandErrno(output) || createOut.decode(output).number;
  }

  /** Also of a VF that is gone: the resources are the PF's. */
  #destroy(opcode: number, number: number): void {
    this.commands.execute(numberIn.encode({ opcode, number }));
  }
}

/** undefined where there is not so much memory. */
function allocate(size: number): Uint8Array | undefined {
  try {
    return new Uint8Array(size);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
