import { bitLayout } from './bit-fields.js';

/** Firmware commands that a vfio driver uses (mlx5_ifc.h). */
export const MLX5_CMD_OP = {
  QUERY_HCA_CAP: 0x100,
  SUSPEND_VHCA: 0x115,
  RESUME_VHCA: 0x116,
  QUERY_VHCA_MIGRATION_STATE: 0x117,
  SAVE_VHCA_STATE: 0x118,
  LOAD_VHCA_STATE: 0x119,
  CREATE_MKEY: 0x200,
  DESTROY_MKEY: 0x202,
  CREATE_CQ: 0x400,
  DESTROY_CQ: 0x401,
  CREATE_QP: 0x500,
  DESTROY_QP: 0x501,
  RST2INIT_QP: 0x502,
  INIT2RTR_QP: 0x503,
  RTR2RTS_QP: 0x504,
  ALLOC_PD: 0x800,
  DEALLOC_PD: 0x801,
  ALLOC_UAR: 0x802,
  DEALLOC_UAR: 0x803,
  CREATE_GENERAL_OBJECT: 0xa00,
  MODIFY_GENERAL_OBJECT: 0xa01,
  QUERY_GENERAL_OBJECT: 0xa02,
  DESTROY_GENERAL_OBJECT: 0xa03,
} as const;

/** What a command ended with. */
export const MLX5_CMD_STAT = {
  OK: 0x00,
  INT_ERR: 0x01,
  BAD_OP_ERR: 0x02,
  BAD_PARAM_ERR: 0x03,
  BAD_SYS_STATE_ERR: 0x04,
  BAD_RES_ERR: 0x05,
  RES_BUSY: 0x06,
  NOT_READY: 0x07,
  LIM_ERR: 0x08,
  BAD_RES_STATE_ERR: 0x09,
  IX_ERR: 0x0a,
  NO_RES_ERR: 0x0f,
  BAD_QP_STATE_ERR: 0x10,
  BAD_PKT_ERR: 0x30,
  BAD_SIZE_OUTS_CQES_ERR: 0x40,
  BAD_INP_LEN_ERR: 0x50,
  BAD_OUTP_LEN_ERR: 0x51,
} as const;

// Every input begins with opcode and op_mod, every output with status and syndrome.
const INPUT = { opcode: [0x00, 16], uid: [0x10, 16], opMod: [0x30, 16] } as const;
const OUTPUT = { status: [0x00, 8], syndrome: [0x20, 32] } as const;

export const commandInput = bitLayout(16, INPUT);
export const commandOutput = bitLayout(16, OUTPUT);

/** QUERY_HCA_CAP of another function than the one that asks. */
export const queryHcaCapIn = bitLayout(16, {
  ...INPUT,
  otherFunction: [0x40, 1],
  /** 0 the PF, VFs from 1. */
  functionId: [0x50, 16],
});
/** Capability sets of QUERY_HCA_CAP, as op_mod has them: current values. */
export const HCA_CAP_GENERAL = 0x01;
export const HCA_CAP_GENERAL_2 = 0x41;
/** The capabilities start at bit 0x80. */
export const queryHcaCapOut = bitLayout(48, {
  ...OUTPUT,
  /** HCA_CAP_GENERAL */
  vhcaId: [0xb0, 16],
  /** HCA_CAP_GENERAL_2 */
  migratable: [0x100, 1],
});

/** op_mod of SUSPEND_VHCA: who is kept from doing something. The initiator goes first. */
export const SUSPEND_INITIATOR = 0;
export const SUSPEND_RESPONDER = 1;
/** op_mod of RESUME_VHCA, the other way round. */
export const RESUME_RESPONDER = 0;
export const RESUME_INITIATOR = 1;

/** SUSPEND_VHCA and RESUME_VHCA. */
export const vhcaIn = bitLayout(16, { ...INPUT, vhcaId: [0x50, 16] });

export const queryVhcaMigrationStateIn = bitLayout(16, {
  ...INPUT,
  incremental: [0x40, 1],
  chunk: [0x41, 1],
  vhcaId: [0x50, 16],
});
export const queryVhcaMigrationStateOut = bitLayout(64, {
  ...OUTPUT,
  /** VHCA_MIGRATION_STATE_* */
  migrationState: [0x60, 4],
  /** Bytes of memory that a SAVE takes. */
  requiredUmemSize: [0x80, 32],
  /** Bytes of the whole image, in chunks. */
  remainingTotalSize: [0xc0, 64],
});
/** The VF was initialised anew, and what was sent of it is worthless. */
export const VHCA_MIGRATION_STATE_INIT = 4;

export const saveVhcaStateIn = bitLayout(32, {
  ...INPUT,
  incremental: [0x40, 1],
  setTrack: [0x41, 1],
  vhcaId: [0x50, 16],
  va: [0x80, 64],
  mkey: [0xc0, 32],
  /** Bytes of the buffer. */
  size: [0xe0, 32],
});
export const saveVhcaStateOut = bitLayout(16, {
  ...OUTPUT,
  actualImageSize: [0x40, 32],
  /** Bytes that the next chunk takes; 0 for the last one. */
  nextRequiredUmemSize: [0x60, 32],
});

export const loadVhcaStateIn = bitLayout(32, {
  ...INPUT,
  vhcaId: [0x50, 16],
  va: [0x80, 64],
  mkey: [0xc0, 32],
  /** Bytes of the image. */
  size: [0xe0, 32],
});

/** CREATE_MKEY, CREATE_CQ, CREATE_QP, ALLOC_PD, ALLOC_UAR: what was made. */
export const createOut = bitLayout(16, { ...OUTPUT, number: [0x48, 24] });
/** Their opposites, and what brings a queue pair up. */
export const numberIn = bitLayout(16, { ...INPUT, number: [0x48, 24] });
/** A queue pair with its completion queue; both have the memory that is handed over with the command. */
export const createQpIn = bitLayout(32, {
  ...INPUT,
  cq: [0x88, 24],
  /** log2 of the bytes of a receive, 0 for a queue pair that only sends. */
  logReceiveSize: [0xa0, 8],
});
/** INIT2RTR_QP: who is at the other end. */
export const initToReadyIn = bitLayout(32, { ...INPUT, number: [0x48, 24], remote: [0x88, 24] });
