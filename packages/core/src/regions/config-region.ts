import {
  EFAULT,
  EINVAL,
  VFIO_REGION_INFO_FLAG_READ,
  VFIO_REGION_INFO_FLAG_WRITE,
} from '@vfiokit/uapi';
import type { VirtualConfig } from '../config/virtual-config.js';
import type { Region, RegionInfo } from './region.js';
import type { UserBuffer } from './user-buffer.js';

/** Configuration space, region 7 (vfio_pci_config.c: vfio_pci_config_rw). */
export class ConfigRegion implements Region {
  constructor(readonly space: VirtualConfig) {}

  info(): RegionInfo {
    return {
      size: this.space.size,
      flags: VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE,
      capabilities: [],
    };
  }

  read(offset: number, size: number): number {
    return this.space.read(offset, size);
  }

  write(offset: number, size: number, value: number): number {
    const error = this.space.write(offset, size, value);
    return error < 0 ? error : size;
  }

  pread(into: UserBuffer, offset: number): number {
    if (into instanceof Uint8Array) return this.space.readBytes(into, offset);
    return -EFAULT;
  }

  pwrite(from: UserBuffer, offset: number): number {
    if (from instanceof Uint8Array) return this.space.writeBytes(from, offset);
    if (offset + from.length > this.space.size) return -EFAULT;
    // What is going to be dropped is not fetched from the user either.
    return this.space.copiesForWrite(offset) ? -EFAULT : from.length;
  }

  mmap(): number {
    return -EINVAL;
  }
}
