import { type DeviceMapping, EINVAL, type InfoCapability } from '@vfiokit/uapi';
import { getValue, putValue, type UserBuffer } from './user-buffer.js';

/** What VFIO_DEVICE_GET_REGION_INFO tells of a region, apart from its index and offset. */
export interface RegionInfo {
  /** Bytes; 0 where there is nothing. */
  readonly size: number;
  /** VFIO_REGION_INFO_FLAG_READ, _WRITE and _MMAP; the core adds _CAPS. */
  readonly flags: number;
  readonly capabilities: readonly InfoCapability[];
}

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

/** {@link Region.read} of a region that only moves bytes. */
export function readByPread(region: Pick<Region, 'pread'>, offset: number, size: number): number {
  const bytes = new Uint8Array(size);
  const count = region.pread(bytes, offset);
  if (count < 0) return count;
  return count === size ? getValue(bytes, 0, size) : -EINVAL;
}

/** {@link Region.write} of a region that only moves bytes. */
export function writeByPwrite(
  region: Pick<Region, 'pwrite'>,
  offset: number,
  size: number,
  value: number,
): number {
  const bytes = new Uint8Array(size);
  putValue(bytes, 0, size, value);
  const count = region.pwrite(bytes, offset);
  return count < 0 || count === size ? count : -EINVAL;
}
