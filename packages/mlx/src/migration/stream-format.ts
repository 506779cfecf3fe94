import { encodeRecordHeader, RECORD_HEADER_SIZE, RECORD_OPTIONAL } from '@vfiokit/core';

/** Records of a migration stream: 16 bytes of header and what follows (drivers/vfio/pci/mlx5/cmd.h: mlx5_vf_migration_header). */

/** An image of the firmware. */
export const TAG_FW_DATA = 0;
/** How many bytes of buffer the destination should have ready (u64). Whoever does not know it may skip it. */
export const TAG_STOP_COPY_SIZE = 1;

/** What stands in front of an image of so many bytes. */
export function encodeImageHeader(size: number): Uint8Array {
  return encodeRecordHeader({ size, flags: 0, tag: TAG_FW_DATA });
}

/** The record that advises the destination to have a buffer of so many bytes. */
export function encodeStopCopySize(bytes: number): Uint8Array {
  const record = new Uint8Array(RECORD_HEADER_SIZE + 8);
  record.set(encodeRecordHeader({ size: 8, flags: RECORD_OPTIONAL, tag: TAG_STOP_COPY_SIZE }));
  new DataView(record.buffer).setBigUint64(RECORD_HEADER_SIZE, BigInt(bytes), true);
  return record;
}
