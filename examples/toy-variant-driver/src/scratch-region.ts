import type { DeviceRegion, RegionOps } from '@vfiokit/core';
import { MemoryBlock } from '@vfiokit/pci';
import {
  VFIO_REGION_INFO_FLAG_READ,
  VFIO_REGION_INFO_FLAG_WRITE,
  vendorRegionType,
} from '@vfiokit/uapi';
import { VENDOR } from './ids.js';

/** Bytes. */
export const SCRATCH_SIZE = 4096;
const SUBTYPE = 1;

/** Memory that a user may do with what it likes; anew at every open. */
class Scratch implements RegionOps {
  readonly #memory = new MemoryBlock(SCRATCH_SIZE);

  read(offset: number, size: 1 | 2 | 4): number {
    return this.#memory.read(offset, size);
  }

  write(offset: number, size: 1 | 2 | 4, value: number): number {
    this.#memory.write(offset, size, value);
    return 0;
  }
}

/** The region, at index 9. Users find it by its type, not by its index. */
export function scratchRegion(): DeviceRegion {
  return {
    type: vendorRegionType(VENDOR),
    subtype: SUBTYPE,
    size: SCRATCH_SIZE,
    flags: VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE,
    ops: new Scratch(),
  };
}
