import { bitLayout } from '../bit-fields.js';

/** Type of the general object that tracks dirty pages. */
export const MLX5_OBJ_TYPE_PAGE_TRACK = 0x46;

/** What precedes a general object in CREATE, MODIFY, QUERY and DESTROY. */
export const generalObjectIn = bitLayout(16, {
  opcode: [0x00, 16],
  uid: [0x10, 16],
  tunnelId: [0x20, 16],
  objectType: [0x30, 16],
  objectId: [0x40, 32],
  parameter: [0x60, 32],
});
/** Answers to them; the object of a QUERY follows. */
export const generalObjectOut = bitLayout(16, {
  status: [0x00, 8],
  syndrome: [0x20, 32],
  objectId: [0x40, 32],
});

/** The object, without its list of ranges. */
export const pageTrack = bitLayout(48, {
  /** Which fields a MODIFY changes. */
  modifyFieldSelect: [0x00, 64],
  vhcaId: [0x50, 16],
  /** PAGE_TRACK_STATE_* */
  state: [0x80, 4],
  trackType: [0x84, 4],
  logAddrSpaceSize: [0x88, 8],
  logPageSize: [0x93, 5],
  logMsgSize: [0x9b, 5],
  reportingQpn: [0xa8, 24],
  numRanges: [0xd8, 8],
  /** What to report. */
  rangeStartAddress: [0x100, 64],
  length: [0x140, 64],
});
/** Each range that is tracked, behind the object. */
export const pageTrackRange = bitLayout(16, { start: [0x00, 64], length: [0x40, 64] });

export const PAGE_TRACK_STATE_TRACKING = 0;
export const PAGE_TRACK_STATE_REPORTING = 1;
export const PAGE_TRACK_STATE_ERROR = 2;
/** The only kind of tracking there is. */
export const PAGE_TRACK_TYPE = 1;
/** MODIFY: the state, and the range to report. */
export const PAGE_TRACK_MODIFY_REPORT = 3n;

/** What the firmware can track (the advanced virtualization capabilities). */
export const advVirtualizationCaps = bitLayout(16, {
  logMaxNum: [0x03, 5],
  maxNumRange: [0x08, 8],
  logMinAddrSpace: [0x10, 8],
  logMaxAddrSpace: [0x18, 8],
  logMinMsgSize: [0x23, 5],
  logMaxMsgSize: [0x2b, 5],
  logMinPageSize: [0x33, 5],
  logMaxPageSize: [0x3b, 5],
});
export type PageTrackCaps = ReturnType<typeof advVirtualizationCaps.decode>;

/** An entry of a completion queue (struct mlx5_cqe64). */
export const completion = bitLayout(64, {
  /** Immediate data; the tracker's state is in its upper 4 bits. */
  immediate: [36 * 8, 32],
  byteCount: [44 * 8, 32],
  /** The queue pair. */
  number: [56 * 8 + 8, 24],
  /** Which of the receives was filled. */
  wqeCounter: [60 * 8, 16],
  opcode: [63 * 8, 4],
  /** Toggles with every turn of the ring. */
  owner: [63 * 8 + 7, 1],
});
export const MLX5_CQE_RESP_SEND_IMM = 0x3;
/** Nobody has written the entry yet. */
export const MLX5_CQE_INVALID = 0xf;
export const TRACKER_STATE_SHIFT = 28;

/** An entry of a report: the address of a dirty page, in two halves. */
export const REPORT_ENTRY = 8;
