/**
 * What an AP instruction says of a queue: the low 32 bits of general register 1, bit 0 the most significant one.
 *
 * Response codes and flags keep to one number, as in the register, so that testing a queue allocates nothing.
 */
export type QueueStatus = number;

/** The flags of a status word, by their value in the 32-bit word. */
export const AP_QUEUE_STATUS = {
  /** Bit 0: no message is in the queue. */
  QUEUE_EMPTY: 0x8000_0000,
  /** Bit 1: replies wait to be taken. */
  REPLIES_WAITING: 0x4000_0000,
  /** Bit 2: no more requests are accepted. */
  QUEUE_FULL: 0x2000_0000,
  /** Bit 6: the response code tells of an earlier, asynchronous operation. */
  ASYNC: 0x0200_0000,
  /** Bit 7: interrupts are enabled. */
  IRQ_ENABLED: 0x0100_0000,
} as const;

/** The response codes of the AP instructions. */
export const AP_RESPONSE = {
  NORMAL: 0x00,
  /** The queue is not in the configuration that issued the instruction. */
  Q_NOT_AVAIL: 0x01,
  RESET_IN_PROGRESS: 0x02,
  /** The adapter is in standby. */
  DECONFIGURED: 0x03,
  /** The adapter stopped with a hardware error. */
  CHECKSTOPPED: 0x04,
  BUSY: 0x05,
  /** AQIC: the address of the notification indicator byte cannot be used. */
  INVALID_ADDRESS: 0x06,
  /** AQIC: interrupts are already as asked, or cannot be changed now. */
  OTHERWISE_CHANGED: 0x07,
  INVALID_GISA: 0x08,
  BOUND_TO_ANOTHER: 0x09,
  STATE_CHANGE_IN_PROGRESS: 0x0a,
  NOT_BOUND: 0x0b,
  /** NQAP: no room; DQAP: no reply. */
  Q_FULL_OR_NO_REPLY: 0x10,
  INDEX_TOO_BIG: 0x11,
  NO_FIRST_PART: 0x13,
  MESSAGE_TOO_BIG: 0x15,
  REQ_FAC_NOT_INST: 0x16,
  BIND_ERROR: 0x30,
  NOT_AVAIL_FOR_ASSOC: 0x31,
  Q_NOT_EMPTY: 0x32,
  BIND_LIMIT_EXCEEDED: 0x33,
  INVALID_ASSOC_SECRET: 0x34,
  ASSOC_SECRET_NOT_UNIQUE: 0x35,
  ASSOC_FAILED: 0x36,
  INVALID_DOMAIN: 0x42,
} as const;

/** The response code of a status: bits 8 to 15. */
export function responseCode(status: QueueStatus): number {
  return (status >>> 16) & 0xff;
}

/** A status with this response code and these flags. */
export function queueStatus(code: number, flags = 0): QueueStatus {
  return ((code << 16) | flags) >>> 0;
}

/** The condition code that goes with a status: 0 for a normal response, 3 for any other. */
export function conditionCode(status: QueueStatus): 0 | 3 {
  return responseCode(status) === AP_RESPONSE.NORMAL ? 0 : 3;
}

/** A response code as the architecture writes it: two hex digits. */
export function formatResponseCode(code: number): string {
  return code.toString(16).toUpperCase().padStart(2, '0');
}
