import {
  type DeviceOverride,
  type Region,
  type RegionInfo,
  readByPread,
  type UserBuffer,
  writeByPwrite,
} from '@vfiokit/core';
import {
  EFAULT,
  EINVAL,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_REGION_INFO_FLAG_READ,
  VFIO_REGION_INFO_FLAG_WRITE,
} from '@vfiokit/uapi';
import type { IsmInstructions } from './ism-platform.js';

const BARS = 6;
const STORE_BLOCK_BOUNDARY = 4096;
const NO_REGION: Region = {
  info: () => -EINVAL,
  read: () => -EINVAL,
  write: () => -EINVAL,
  pread: () => -EINVAL,
  pwrite: () => -EINVAL,
};

/** The regions of an ISM device: BARs by PCI instructions, configuration as ever, nothing else, and no mmap. */
export function ismRegions(instructions: IsmInstructions): DeviceOverride {
  return {
    region(index, next, { pdev }) {
      if (index < BARS) return new IsmBar(index, pdev.resources[index]!.length, instructions);
      return index === VFIO_PCI_CONFIG_REGION_INDEX ? next : NO_REGION;
    },
  };
}

/** A BAR that is never mapped (drivers/vfio/pci/ism: ism_vfio_pci_rw). */
class IsmBar implements Region {
  constructor(
    private readonly bar: number,
    private readonly size: number,
    private readonly instructions: IsmInstructions,
  ) {}

  info(): RegionInfo {
    const flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
    return { size: this.size, flags: this.size === 0 ? 0 : flags, capabilities: [] };
  }

  read(offset: number, size: number): number {
    return readByPread(this, offset, size);
  }

  write(offset: number, size: number, value: number): number {
    return writeByPwrite(this, offset, size, value);
  }

  /** In naturally aligned loads of up to 8 bytes, cut off at the end. */
  pread(into: UserBuffer, offset: number): number {
    if (offset >= this.size) return -EINVAL;
    if (!(into instanceof Uint8Array)) return -EFAULT;
    const count = Math.min(into.length, this.size - offset);
    for (let done = 0; done < count; ) {
      const size = alignedSize(offset + done, count - done);
      const error = this.instructions.load(
        this.bar,
        offset + done,
        size,
        into.subarray(done, done + size),
      );
      if (error < 0) return error;
      done += size;
    }
    return count;
  }

  /** One store block: `-EINVAL` for more than the device takes, and over a boundary of 4 KiB. */
  pwrite(from: UserBuffer, offset: number): number {
    const { length } = from;
    if (offset >= this.size) return -EINVAL;
    const crosses = (offset % STORE_BLOCK_BOUNDARY) + length > STORE_BLOCK_BOUNDARY;
    if (length > this.instructions.maxstbl || crosses) return -EINVAL;
    if (!(from instanceof Uint8Array)) return -EFAULT;
    const error = this.instructions.storeBlock(this.bar, offset, from);
    return error < 0 ? error : length;
  }
}

function alignedSize(offset: number, left: number): 1 | 2 | 4 | 8 {
  if (left >= 8 && offset % 8 === 0) return 8;
  if (left >= 4 && offset % 4 === 0) return 4;
  return left >= 2 && offset % 2 === 0 ? 2 : 1;
}
