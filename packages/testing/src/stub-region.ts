import type { Region, RegionInfo, UserBuffer } from '@vfiokit/core';
import { EFAULT, VFIO_REGION_INFO_FLAG_READ, VFIO_REGION_INFO_FLAG_WRITE } from '@vfiokit/uapi';

/** A region of plain bytes that notes every access: what stands below an override in a test. */
export class StubRegion implements Region {
  readonly bytes: Uint8Array;
  /** `R4@10`, `W1@3=5a`: the accesses so far. */
  readonly log: string[] = [];

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
  }

  info(): RegionInfo {
    const flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
    return { size: this.bytes.length, flags, capabilities: [] };
  }

  read(offset: number, size: number): number {
    this.log.push(`R${size}@${offset.toString(16)}`);
    let value = 0;
    for (let i = size - 1; i >= 0; i -= 1) value = value * 256 + (this.bytes[offset + i] ?? 0xff);
    return value;
  }

  write(offset: number, size: number, value: number): number {
    this.log.push(`W${size}@${offset.toString(16)}=${value.toString(16)}`);
    for (let i = 0; i < size; i += 1)
      if (offset + i < this.bytes.length) this.bytes[offset + i] = value >>> (8 * i);
    return size;
  }

  pread(into: UserBuffer, offset: number): number {
    if (!(into instanceof Uint8Array)) return -EFAULT;
    for (let i = 0; i < into.length; i += 1) into[i] = this.bytes[offset + i] ?? 0xff;
    return into.length;
  }

  pwrite(from: UserBuffer, offset: number): number {
    if (!(from instanceof Uint8Array)) return -EFAULT;
    from.forEach((byte, i) => {
      if (offset + i < this.bytes.length) this.bytes[offset + i] = byte;
    });
    return from.length;
  }
}
