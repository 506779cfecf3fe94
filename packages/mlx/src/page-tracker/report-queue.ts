import { EIO } from '@vfiokit/uapi';
import { commandErrno, type Mlx5Commands } from '../command-interface.js';
import { createOut, createQpIn, initToReadyIn, MLX5_CMD_OP, numberIn } from '../commands.js';
import {
  completion,
  MLX5_CQE_INVALID,
  MLX5_CQE_RESP_SEND_IMM,
  REPORT_ENTRY,
  TRACKER_STATE_SHIFT,
} from './layout.js';

const OP = MLX5_CMD_OP;
/** Bytes of receives that are kept ready, unless four messages take more. */
const RECEIVE_BYTES = 2 << 20;
const FEWEST_MESSAGES = 4;

/** What a report ended with: the state that the tracker is in, or a negated errno. */
export type ReportEnd = number;

/**
 * The way by which the firmware's tracker reports: two queue pairs that know each other, of which the host's receives
 * (drivers/vfio/pci/mlx5/cmd.c: mlx5vf_create_rc_qp, mlx5vf_cq_poll_one).
 */
export class ReportQueue {
  readonly #commands: Mlx5Commands;
  readonly #undo: (() => void)[] = [];
  readonly #receives: Uint8Array;
  readonly #ring: Uint8Array;
  readonly #messageSize: number;
  #hostPair = 0;
  /** The number by which the tracker is told where to report. */
  firmwarePair = 0;
  completionQueue = 0;
  #consumed = 0;

  private constructor(commands: Mlx5Commands, logMessageSize: number) {
    this.#commands = commands;
    this.#messageSize = 2 ** logMessageSize;
    const bytes = Math.max(RECEIVE_BYTES, FEWEST_MESSAGES * this.#messageSize);
    this.#receives = new Uint8Array(bytes);
    const entries = 2 * this.#slots;
    this.#ring = new Uint8Array(entries * completion.size);
    for (let i = 0; i < entries; i += 1)
      completion.encode({ opcode: MLX5_CQE_INVALID, owner: 1 }, this.#ring, i * completion.size);
  }

  /** Makes everything and brings it up; a negated errno, with nothing left, if the firmware refuses. */
  static create(commands: Mlx5Commands, logMessageSize: number): ReportQueue | number {
    const queue = new ReportQueue(commands, logMessageSize);
    const error = queue.#create(logMessageSize);
    if (error < 0) queue.destroy();
    return error < 0 ? error : queue;
  }

  get hostPair(): number {
    return this.#hostPair;
  }

  /**
   * Reads messages until the tracker has told all. 0, or `-EIO` for a completion that can't be and once the tracker is in
   * error; `failed` says so.
   */
  drain(state: { reporting: number; error: number }, dirty: (page: bigint) => void): number {
    for (;;) {
      const entry = this.#next();
      if (entry === undefined || entry.opcode !== MLX5_CQE_RESP_SEND_IMM) return -EIO;
      const tracker = entry.immediate >>> TRACKER_STATE_SHIFT;
      if (entry.byteCount === 0 && tracker === state.reporting) return -EIO;
      this.#readEntries(entry.wqeCounter, entry.byteCount, dirty);
      this.#commands.postReceives(this.#hostPair, 1);
      if (tracker === state.error) return -EIO;
      if (tracker !== state.reporting) return 0;
    }
  }

  destroy(): void {
    for (let undo = this.#undo.pop(); undo !== undefined; undo = this.#undo.pop()) undo();
  }

  get #slots(): number {
    return this.#receives.length / this.#messageSize;
  }

  #create(logMessageSize: number): number {
    const uar = this.#make(OP.ALLOC_UAR, OP.DEALLOC_UAR);
    if (uar < 0) return uar;
    const pd = this.#make(OP.ALLOC_PD, OP.DEALLOC_PD);
    if (pd < 0) return pd;
    this.completionQueue = this.#make(OP.CREATE_CQ, OP.DESTROY_CQ, this.#ring);
    if (this.completionQueue < 0) return this.completionQueue;
    const mkey = this.#make(OP.CREATE_MKEY, OP.DESTROY_MKEY, this.#receives);
    if (mkey < 0) return mkey;
    this.#hostPair = this.#makePair(logMessageSize, this.#receives);
    if (this.#hostPair < 0) return this.#hostPair;
    this.firmwarePair = this.#makePair(0);
    if (this.firmwarePair < 0) return this.firmwarePair;
    return this.#bringUp();
  }

  /** The host's side receives only, so it never needs to send; the firmware's only sends. */
  #bringUp(): number {
    const host = this.#ready(this.#hostPair, this.firmwarePair, () =>
      this.#commands.postReceives(this.#hostPair, this.#slots),
    );
    if (host < 0) return host;
    const firmware = this.#ready(this.firmwarePair, this.#hostPair);
    return firmware < 0
      ? firmware
      : this.#execute(numberIn.encode({ opcode: OP.RTR2RTS_QP, number: this.firmwarePair }));
  }

  #ready(number: number, remote: number, beforeReady: () => void = () => {}): number {
    const init = this.#execute(numberIn.encode({ opcode: OP.RST2INIT_QP, number }));
    if (init < 0) return init;
    beforeReady();
    return this.#execute(initToReadyIn.encode({ opcode: OP.INIT2RTR_QP, number, remote }));
  }

  #makePair(logReceiveSize: number, memory?: Uint8Array): number {
    const opcode = OP.CREATE_QP;
    const input = createQpIn.encode({ opcode, cq: this.completionQueue, logReceiveSize });
    return this.#made(this.#commands.execute(input, memory), OP.DESTROY_QP);
  }

  #make(opcode: number, opposite: number, memory?: Uint8Array): number {
    return this.#made(this.#commands.execute(numberIn.encode({ opcode }), memory), opposite);
  }

  #made(output: Uint8Array, opposite: number): number {
    const error = commandErrno(output);
    if (error < 0) return error;
    const { number } = createOut.decode(output);
    this.#undo.push(() => this.#execute(numberIn.encode({ opcode: opposite, number })));
    return number;
  }

  #execute(input: Uint8Array): number {
    return commandErrno(this.#commands.execute(input));
  }

  /** The next completion that the firmware has written. */
  #next(): ReturnType<typeof completion.decode> | undefined {
    const entries = this.#ring.length / completion.size;
    const at = (this.#consumed % entries) * completion.size;
    const entry = completion.decode(this.#ring, at);
    const turn = Math.floor(this.#consumed / entries) & 1;
    if (entry.opcode === MLX5_CQE_INVALID || entry.owner !== turn) return undefined;
    this.#consumed += 1;
    return entry;
  }

  #readEntries(wqeCounter: number, byteCount: number, dirty: (page: bigint) => void): void {
    const at = (wqeCounter % this.#slots) * this.#messageSize;
    const view = new DataView(this.#receives.buffer, this.#receives.byteOffset + at, byteCount);
    for (let i = 0; i + REPORT_ENTRY <= byteCount; i += REPORT_ENTRY) dirty(view.getBigUint64(i));
  }
}
