import type { DeviceMapping, FaultingBuffer, InfoCapability } from '@vfiokit/uapi';

/** What VFIO_DEVICE_GET_REGION_INFO tells of a region, apart from its index and offset. */
export interface RegionInfo {
  /** Bytes; 0 where there is nothing. */
  readonly size: number;
  /** VFIO_REGION_INFO_FLAG_READ, _WRITE and _MMAP; the core adds _CAPS. */
  readonly flags: number;
  readonly capabilities: readonly InfoCapability[];
}

/** Memory of a user: its bytes, or a pointer that faults. */
export type UserBuffer = Uint8Array | FaultingBuffer;

/**
 * One region of an open device. Offsets count from the region's start, and everything answers with a negated errno
 * where it can't do what it is asked.
 */
export interface Region {
  /** The info, or the negated errno that GET_REGION_INFO fails with. */
  info(): RegionInfo | number;
  /** A naturally aligned value, unsigned, or a negated errno; `-EINVAL` where {@link pread} would come back short. */
  read(offset: number, size: number): number;
  /** `size`, or a negated errno. */
  write(offset: number, size: number, value: number): number;
  /** The number of bytes read, which may be fewer than asked at the region's end, or a negated errno. */
  pread(into: UserBuffer, offset: number): number;
  /** The number of bytes written, under the same rule. */
  pwrite(from: UserBuffer, offset: number): number;
  /** A mapping of whole pages, or a negated errno; without it the region can't be mapped (`-EINVAL`). */
  mmap?(offset: number, length: number): DeviceMapping | number;
}

/** Reads a little-endian value out of a buffer. */
export function getValue(bytes: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i -= 1) value = value * 0x100 + bytes[at + i]!;
  return value;
}

/** Writes a value into a buffer, little-endian. */
export function putValue(bytes: Uint8Array, at: number, size: number, value: number): void {
  for (let i = 0; i < size; i += 1) bytes[at + i] = value >>> (8 * i);
}
