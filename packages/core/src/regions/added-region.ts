import {
  type DeviceMapping,
  EFAULT,
  EINVAL,
  regionTypeCapability,
  VFIO_REGION_INFO_FLAG_MMAP,
  VfioError,
} from '@vfiokit/uapi';
import { alignedSize } from '../aligned-size.js';
import type { DeviceRegion } from '../extension.js';
import type { Positions } from './positions.js';
import type { Region, RegionInfo } from './region.js';
import { getValue, putValue, type UserBuffer } from './user-buffer.js';

/** A region that a driver added, at index 9 or above (vfio_pci_core.c: struct vfio_pci_region). */
export class AddedRegion implements Region {
  /**
   * @param name for people.
   * @throws VfioError EINVAL for a size that is none, or a region that nothing answers for.
   */
  constructor(
    name: string,
    private readonly index: number,
    private readonly region: DeviceRegion,
    private readonly positions: Positions,
  ) {
    const { size, ops } = region;
    if (!Number.isInteger(size) || size < 0 || size > positions.largest)
      throw new VfioError(
        'EINVAL',
        `${name}: a size of ${size}; it takes whole bytes, at most ${positions.largest}`,
      );
    if (typeof ops?.transfer !== 'function' && typeof ops?.read !== 'function')
      throw new VfioError('EINVAL', `${name}: nobody answers for it; its ops need read and write`);
  }

  info(): RegionInfo {
    const { type, subtype, size, flags, ops } = this.region;
    return {
      size,
      flags,
      capabilities: [
        regionTypeCapability.encode({ type, subtype }),
        ...(ops.capabilities?.() ?? []),
      ],
    };
  }

  read(offset: number, size: number): number {
    const { ops } = this.region;
    if (ops.transfer !== undefined) {
      const bytes = new Uint8Array(size);
      const count = ops.transfer(bytes, this.#position(offset), false);
      if (count < 0) return count;
      return count === size ? getValue(bytes, 0, size) : -EINVAL;
    }
    if (offset + size > this.region.size || offset % size !== 0) return -EINVAL;
    return ops.read(offset, size as 1 | 2 | 4);
  }

  write(offset: number, size: number, value: number): number {
    const { ops } = this.region;
    if (ops.transfer !== undefined) {
      const bytes = new Uint8Array(size);
      putValue(bytes, 0, size, value);
      return ops.transfer(bytes, this.#position(offset), true);
    }
    if (offset + size > this.region.size || offset % size !== 0) return -EINVAL;
    const error = ops.write(offset, size as 1 | 2 | 4, value);
    return error < 0 ? error : size;
  }

  pread(into: UserBuffer, offset: number): number {
    return this.#transfer(into, offset, false);
  }

  pwrite(from: UserBuffer, offset: number): number {
    return this.#transfer(from, offset, true);
  }

  mmap(offset: number, length: number): DeviceMapping | number {
    const { ops, flags } = this.region;
    if (ops.mmap === undefined || (flags & VFIO_REGION_INFO_FLAG_MMAP) === 0) return -EINVAL;
    return ops.mmap(offset, length);
  }

  release(): void {
    this.region.ops.release?.();
  }

  /** Whole if the region wants it so, else cut into naturally aligned pieces and at the region's end. */
  #transfer(buffer: UserBuffer, offset: number, isWrite: boolean): number {
    const { ops, size } = this.region;
    if (!(buffer instanceof Uint8Array)) return -EFAULT;
    if (ops.transfer !== undefined) return ops.transfer(buffer, this.#position(offset), isWrite);
    if (offset >= size) return -EINVAL;
    const count = Math.min(buffer.length, size - offset);
    for (let done = 0; done < count; ) {
      const at = offset + done;
      const piece = alignedSize(at, count - done);
      const result = isWrite
        ? ops.write(at, piece, getValue(buffer, done, piece))
        : ops.read(at, piece);
      if (result < 0) return result;
      if (!isWrite) putValue(buffer, done, piece, result);
      done += piece;
    }
    return count;
  }

  #position(offset: number): number {
    return this.positions.of(this.index, offset);
  }
}
