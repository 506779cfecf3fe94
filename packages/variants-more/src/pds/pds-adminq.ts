import { type StructOf, struct, u8, u16, u32, u64 } from '@vfiokit/uapi';

/** Commands of the PF's administration queue that a vfio driver uses (include/linux/pds/pds_adminq.h). */
export const PDS_LM_CMD = {
  HOST_VF_STATUS: 1,
  STATE_SIZE: 16,
  SUSPEND: 18,
  SUSPEND_STATUS: 19,
  RESUME: 20,
  SAVE: 21,
  RESTORE: 22,
  DIRTY_STATUS: 32,
  DIRTY_ENABLE: 33,
  DIRTY_DISABLE: 34,
  DIRTY_READ_SEQ: 35,
  DIRTY_WRITE_ACK: 36,
} as const;

// Every command begins with its opcode and the VF, counted from 0.
const COMMAND = { opcode: u8, reserved: u8, vfId: u16 } as const;

/** STATE_SIZE and DIRTY_DISABLE, and how all others begin. */
export const pdsLmCmd = struct('pds_lm_cmd', COMMAND);

/** HOST_VF_STATUS: PDS_LM_STA_*; SUSPEND, SUSPEND_STATUS and RESUME: PDS_LM_SUSPEND_RESUME_TYPE_*. */
export const pdsLmTypeCmd = struct('pds_lm_suspend_cmd', { ...COMMAND, type: u8 });
export const PDS_LM_STA_NONE = 0;
export const PDS_LM_STA_IN_PROGRESS = 1;
export const PDS_LM_SUSPEND_RESUME_TYPE_FULL = 0;
export const PDS_LM_SUSPEND_RESUME_TYPE_P2P = 1;

/** SAVE and RESTORE: which memory the state goes to or comes from. */
export const pdsLmSaveCmd = struct('pds_lm_save_cmd', {
  ...COMMAND,
  /** Of a list of {@link pdsLmSgElem}. */
  sglAddr: u64,
  numSge: u32,
});
/** A piece of memory. */
export const pdsLmSgElem = struct('pds_lm_sg_elem', { addr: u64, len: u32, reserved: u32 });

/** DIRTY_STATUS: how many regions there is room for at an address. */
export const pdsLmDirtyStatusCmd = struct('pds_lm_dirty_status_cmd', {
  ...COMMAND,
  maxRegions: u8,
  regionsDma: u64,
});
export const pdsLmDirtyEnableCmd = struct('pds_lm_dirty_enable_cmd', {
  ...COMMAND,
  /** PDS_LM_DIRTY_BMP_TYPE_* */
  bmpType: u8,
  numRegions: u8,
  /** Of a list of {@link pdsLmDirtyRegionInfo}, whose page counts the device may enlarge. */
  regionsDma: u64,
});
/** A range whose pages are tracked. */
export const pdsLmDirtyRegionInfo = struct('pds_lm_dirty_region_info', {
  dmaBase: u64,
  pageCount: u32,
  pageSizeLog2: u8,
});
export type PdsLmDirtyRegionInfo = StructOf<typeof pdsLmDirtyRegionInfo>;
/** Two bits for every page, which differ if it is dirty: the device's and the host's. */
export const PDS_LM_DIRTY_BMP_TYPE_SEQ_ACK = 1;

/** DIRTY_READ_SEQ and DIRTY_WRITE_ACK: a part of a map, and the memory that it goes to or comes from. */
export const pdsLmDirtySeqAckCmd = struct('pds_lm_dirty_seq_ack_cmd', {
  ...COMMAND,
  offBytes: u32,
  lenBytes: u32,
  numSge: u16,
  sglAddr: u64,
});

// Completions have 16 bytes, of which the first four are the queue's.
const COMPLETION = { status: u8, reserved: u8, compIndex: u16 } as const;

export const pdsLmStateSizeComp = struct('pds_lm_state_size_comp', {
  ...COMPLETION,
  /** The size is 64 bits, and not aligned to them. */
  sizeLow: u32,
  sizeHigh: u32,
});
export const pdsLmDirtyStatusComp = struct('pds_lm_dirty_status_comp', {
  ...COMPLETION,
  /** How many regions the device can track. */
  maxRegions: u8,
  /** How many it tracks. */
  numRegions: u8,
  bmpType: u8,
  reserved2: u8,
  /** The types of maps that it knows, by their bits. */
  bmpTypeMask: u32,
});
