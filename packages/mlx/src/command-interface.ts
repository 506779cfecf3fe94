import { EAGAIN, EBUSY, EINVAL, EIO, ENOMEM } from '@vfiokit/uapi';
import { commandOutput, MLX5_CMD_STAT } from './commands.js';

/** The memory that a command's list of pages leads to. The firmware keeps hold of it. */
export type CommandMemory = Uint8Array;

/** Something that the firmware tells by itself. */
export type FirmwareEvent =
  | { readonly kind: 'object-change'; readonly objectId: number }
  | { readonly kind: 'cq-error' | 'qp-error'; readonly number: number };

/** How a driver speaks to the firmware (mlx5_core's command queue). */
export interface Mlx5Commands {
  /** Carries a command out; the output, whose status says how it went. */
  execute(input: Uint8Array, memory?: CommandMemory): Uint8Array;
  /** Begins a command; the output comes later, or right away. */
  begin(input: Uint8Array, done: (output: Uint8Array) => void): void;
  /** Lets commands that were begun come to their end: what a driver does that has to wait for one. */
  settle(): void;
  /** So many more receives of a queue pair may be filled (its doorbell record). */
  postReceives(queuePair: number, count: number): void;
  /** Calls back for events from now on; the returned function ends that. */
  listen(listener: (event: FirmwareEvent) => void): () => void;
}

const S = MLX5_CMD_STAT;

/** mlx5_core's cmd.c: cmd_status_to_err. */
const ERRNO_OF_STATUS: Readonly<Record<number, number>> = {
  [S.OK]: 0,
  [S.INT_ERR]: EIO,
  [S.BAD_OP_ERR]: EINVAL,
  [S.BAD_PARAM_ERR]: EINVAL,
  [S.BAD_SYS_STATE_ERR]: EIO,
  [S.BAD_RES_ERR]: EINVAL,
  [S.RES_BUSY]: EBUSY,
  [S.NOT_READY]: EAGAIN,
  [S.LIM_ERR]: ENOMEM,
  [S.BAD_RES_STATE_ERR]: EINVAL,
  [S.IX_ERR]: EINVAL,
  [S.NO_RES_ERR]: EAGAIN,
  [S.BAD_QP_STATE_ERR]: EINVAL,
  [S.BAD_PKT_ERR]: EINVAL,
  [S.BAD_SIZE_OUTS_CQES_ERR]: EINVAL,
  [S.BAD_INP_LEN_ERR]: EIO,
  [S.BAD_OUTP_LEN_ERR]: EIO,
};

/** 0, or the negated errno of what a command ended with; `-EIO` for a status that nobody knows. */
export function commandErrno(output: Uint8Array): number {
  const { status } = commandOutput.decode(output);
  return -(ERRNO_OF_STATUS[status] ?? EIO);
}
