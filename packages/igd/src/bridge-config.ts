import type { RegionOps } from '@vfiokit/core';
import type { PciDevice } from '@vfiokit/pci';
import { EINVAL } from '@vfiokit/uapi';

/** The configuration space of a bridge, read-only and live (vfio_pci_igd.c: vfio_pci_igd_cfg_rw). */
export class BridgeConfig implements RegionOps {
  readonly size: number;

  constructor(
    private readonly bridge: PciDevice,
    /** Gives the bridge back. */
    readonly release: () => void,
  ) {
    this.size = bridge.config.size;
  }

  read(offset: number, size: 1 | 2 | 4): number {
    return offset + size > this.size ? -EINVAL : this.bridge.config.read(offset, size);
  }

  write(): number {
    return -EINVAL;
  }

  /** Any bytes, cut off at the end; `-EINVAL` for a write and past the end, what the bridge fails with. */
  transfer(bytes: Uint8Array, position: number, isWrite: boolean): number {
    const offset = position % 2 ** 40;
    if (isWrite || offset >= this.size) return -EINVAL;
    const count = Math.min(bytes.length, this.size - offset);
    for (let done = 0; done < count; ) {
      const width = accessWidth(offset + done, count - done);
      const value = this.bridge.config.read(offset + done, width);
      if (value < 0) return value;
      for (let i = 0; i < width; i += 1) bytes[done + i] = value >>> (8 * i);
      done += width;
    }
    return count;
  }
}

/** A byte and a word up to the first dword, dwords, and what is left. */
function accessWidth(offset: number, left: number): 1 | 2 | 4 {
  if (offset % 2 === 1) return 1;
  if (offset % 4 !== 0 && left > 2) return 2;
  if (left > 3) return 4;
  return left >= 2 ? 2 : 1;
}
