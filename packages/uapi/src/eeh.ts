import { type StructOf, struct, u32, u64 } from './struct.js';

/** An error to inject (EEH: POWER's enhanced error handling). */
export const vfioEehPeErr = struct('vfio_eeh_pe_err', {
  /** EEH_ERR_TYPE_32 or _64. */
  type: u32,
  /** EEH_ERR_FUNC_MIN to _MAX. */
  func: u32,
  addr: u64,
  mask: u64,
});
export type VfioEehPeErr = StructOf<typeof vfioEehPeErr>;

/** VFIO_EEH_PE_OP */
export const vfioEehPeOp = struct('vfio_eeh_pe_op', {
  argsz: u32,
  flags: u32,
  op: u32,
  /** With VFIO_EEH_PE_INJECT_ERR. */
  err: vfioEehPeErr,
});
export type VfioEehPeOp = StructOf<typeof vfioEehPeOp>;

export const VFIO_EEH_PE_DISABLE = 0;
export const VFIO_EEH_PE_ENABLE = 1;
export const VFIO_EEH_PE_UNFREEZE_IO = 2;
export const VFIO_EEH_PE_UNFREEZE_DMA = 3;
/** Answers a VFIO_EEH_PE_STATE_*. */
export const VFIO_EEH_PE_GET_STATE = 4;
export const VFIO_EEH_PE_RESET_DEACTIVATE = 5;
export const VFIO_EEH_PE_RESET_HOT = 6;
export const VFIO_EEH_PE_RESET_FUNDAMENTAL = 7;
export const VFIO_EEH_PE_CONFIGURE = 8;
export const VFIO_EEH_PE_INJECT_ERR = 9;

export const VFIO_EEH_PE_STATE_NORMAL = 0;
export const VFIO_EEH_PE_STATE_RESET = 1;
export const VFIO_EEH_PE_STATE_STOPPED = 2;
export const VFIO_EEH_PE_STATE_STOPPED_DMA = 4;
export const VFIO_EEH_PE_STATE_UNAVAIL = 5;

// Of the machine's own header (asm/eeh.h): the width of the bus and the access that the error hits.
export const EEH_ERR_TYPE_32 = 0;
export const EEH_ERR_TYPE_64 = 1;
export const EEH_ERR_FUNC_MIN = 0;
export const EEH_ERR_FUNC_MAX = 19;
