import type { DeviceOverride, Region, RegionInfo, UserBuffer } from '@vfiokit/core';
import {
  type DeviceMapping,
  EFAULT,
  EINVAL,
  VFIO_REGION_INFO_FLAG_MMAP,
  VFIO_REGION_INFO_FLAG_READ,
  VFIO_REGION_INFO_FLAG_WRITE,
} from '@vfiokit/uapi';

const BAR2 = 2;

/** BAR 2 of a VF that has the registers of migration in its second half, which is not the user's. */
export const HALF_BAR2: DeviceOverride = {
  region: (index, next, { pdev }) =>
    index === BAR2 ? new HalfRegion(next, pdev.resources[BAR2]!.length / 2) : next,
};

/** The first bytes of a region. */
class HalfRegion implements Region {
  constructor(
    private readonly next: Region,
    private readonly size: number,
  ) {}

  info(): RegionInfo {
    const flags =
      VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE | VFIO_REGION_INFO_FLAG_MMAP;
    return { size: this.size, flags, capabilities: [] };
  }

  read(offset: number, size: number): number {
    return offset + size > this.size ? -EINVAL : this.next.read(offset, size);
  }

  write(offset: number, size: number, value: number): number {
    return offset + size > this.size ? -EINVAL : this.next.write(offset, size, value);
  }

  pread(into: UserBuffer, offset: number): number {
    if (offset >= this.size) return -EINVAL;
    if (!(into instanceof Uint8Array)) return -EFAULT;
    return this.next.pread(into.subarray(0, this.size - offset), offset);
  }

  pwrite(from: UserBuffer, offset: number): number {
    if (offset >= this.size) return -EINVAL;
    if (!(from instanceof Uint8Array)) return -EFAULT;
    return this.next.pwrite(from.subarray(0, this.size - offset), offset);
  }

  mmap(offset: number, length: number): DeviceMapping | number {
    if (offset + length > this.size) return -EINVAL;
    return this.next.mmap?.(offset, length) ?? -EINVAL;
  }
}
