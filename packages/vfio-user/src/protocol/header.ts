/**
 * The 16 bytes in front of every message: id (u16), command (u16), size of the whole message (u32), flags (u32), error
 * (u32); little-endian on every host that is served.
 */
export const HEADER_SIZE = 16;

export const HEADER_ID = 0;
export const HEADER_COMMAND = 2;
export const HEADER_MESSAGE_SIZE = 4;
export const HEADER_FLAGS = 8;
export const HEADER_ERROR = 12;

/** The kind of message, in the low four bits of the flags; the other values are not used. */
export const TYPE_MASK = 0xf;
export const TYPE_COMMAND = 0;
export const TYPE_REPLY = 1;
/** On a command: no reply is wanted, not even for a failure. */
export const FLAG_NO_REPLY = 0x10;
/** On a reply: it is the header alone, with an errno in it. */
export const FLAG_ERROR = 0x20;

/** What region accesses carry behind the header: offset (u64), region (u32), count (u32), then the data. */
export const ACCESS_SIZE = 16;
/** What DMA_READ and DMA_WRITE carry behind the header: address (u64), count (u64), then the data. */
export const DMA_ACCESS_SIZE = 16;

/** Writes a header. */
export function putHeader(
  view: DataView,
  at: number,
  id: number,
  command: number,
  size: number,
  flags: number,
  error = 0,
): void {
  view.setUint16(at + HEADER_ID, id, true);
  view.setUint16(at + HEADER_COMMAND, command, true);
  view.setUint32(at + HEADER_MESSAGE_SIZE, size, true);
  view.setUint32(at + HEADER_FLAGS, flags, true);
  view.setUint32(at + HEADER_ERROR, error, true);
}

const WORD = 2 ** 32;

/** A u64 as a number: exact below 2^53, and large all the same above. */
export function getWide(view: DataView, at: number): number {
  const high = view.getUint32(at + 4, true);
  const low = view.getUint32(at, true);
  return high === 0 ? low : high * WORD + low;
}

/** Above this only multiples of 2 KiB are exact as numbers. */
const EXACT_HIGH = 2 ** 21;
const COARSE = 2 ** 11;

/** A u64 as a number that is exactly it; -1 where there is none: above 2^53 and no multiple of 2 KiB. */
export function getExact(view: DataView, at: number): number {
  const high = view.getUint32(at + 4, true);
  const low = view.getUint32(at, true);
  return high >= EXACT_HIGH && low % COARSE !== 0 ? -1 : high * WORD + low;
}

/** Writes a number below 2^53 as a u64. */
export function putWide(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % WORD, true);
  view.setUint32(at + 4, Math.floor(value / WORD), true);
}
