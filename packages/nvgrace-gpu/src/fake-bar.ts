import {
  doIoRw,
  type IoWindow,
  type OpeningDevice,
  type Region,
  type RegionInfo,
  readByPread,
  type UserBuffer,
  writeByPwrite,
} from '@vfiokit/core';
import type { RegisterBlock } from '@vfiokit/pci';
import {
  type DeviceMapping,
  EINVAL,
  ENOMEM,
  EOVERFLOW,
  sparseMmapCapability,
  VFIO_REGION_INFO_FLAG_MMAP,
  VFIO_REGION_INFO_FLAG_READ,
  VFIO_REGION_INFO_FLAG_WRITE,
} from '@vfiokit/uapi';
import type { MemoryPart } from './memory-split.js';
import type { NvgracePlatform } from './nvgrace-platform.js';
import type { ReadyGate } from './ready-gate.js';

/**
 * A BAR that the hardware does not have: memory of the GPU, with nothing behind it up to the next power of two
 * (nvgrace-gpu/main.c: nvgrace_gpu_read_mem, nvgrace_gpu_write_mem, nvgrace_gpu_mmap).
 *
 * Memory enable in COMMAND is not asked for: the memory is not behind the function's decoder.
 */
export class FakeBar implements Region {
  readonly #part: MemoryPart;
  #window: IoWindow | undefined;

  constructor(
    part: MemoryPart,
    private readonly device: OpeningDevice,
    private readonly gate: ReadyGate,
    private readonly platform: NvgracePlatform,
  ) {
    this.#part = part;
  }

  info(): RegionInfo {
    const { barSize, length } = this.#part;
    return {
      size: barSize,
      flags: VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE | VFIO_REGION_INFO_FLAG_MMAP,
      capabilities: [sparseMmapCapability.encode([{ offset: 0n, size: BigInt(length) }])],
    };
  }

  read(offset: number, size: number): number {
    if (offset + size > this.#part.barSize || offset % size !== 0) return -EINVAL;
    if (offset + size > this.#part.length) return readByPread(this, offset, size);
    if (this.gate.closed) return readByPread(this, offset, size);
    const window = this.#window ?? this.#map();
    return window === undefined ? -ENOMEM : window.block.read(offset, size as 1 | 2 | 4);
  }

  write(offset: number, size: number, value: number): number {
    if (offset + size > this.#part.barSize || offset % size !== 0) return -EINVAL;
    if (offset + size > this.#part.length) return writeByPwrite(this, offset, size, value);
    if (this.gate.closed) return writeByPwrite(this, offset, size, value);
    const window = this.#window ?? this.#map();
    if (window === undefined) return -ENOMEM;
    window.block.write(offset, size as 1 | 2 | 4, value);
    return size;
  }

  /** Cut off at the BAR's end; `-EINVAL` beyond it; what is wrong with the GPU. */
  pread(into: UserBuffer, offset: number): number {
    if (offset >= this.#part.barSize) return -EINVAL;
    return this.#transfer(into, offset, false);
  }

  /** What lies behind the memory is dropped, and counted as written. */
  pwrite(from: UserBuffer, offset: number): number {
    if (offset >= this.#part.barSize) return -EINVAL;
    if (offset >= this.#part.length) return Math.min(from.length, this.#part.barSize - offset);
    return this.#transfer(from, offset, true);
  }

  /** `-EINVAL` past the memory. Pages come once the GPU is ready and the function not asleep. */
  mmap(offset: number, length: number): DeviceMapping | number {
    if (offset + length > Number.MAX_SAFE_INTEGER) return -EOVERFLOW;
    if (offset + length > this.#part.length) return -EINVAL;
    const window = this.#window ?? this.#map();
    if (window === undefined) return -ENOMEM;
    const accessible = () => !this.device.pdev.runtimePm.suspended && this.gate.pass() === 0;
    return this.device.mapMemory({ block: window.block, offset, length, accessible });
  }

  #transfer(buffer: UserBuffer, offset: number, isWrite: boolean): number {
    const error = this.gate.pass();
    if (error < 0) return error;
    const window = this.#window ?? this.#map();
    if (window === undefined) return -ENOMEM;
    const count = Math.min(buffer.length, this.#part.barSize - offset);
    return doIoRw(window, buffer, offset, count, isWrite);
  }

  /** At the first use, and until the last close. */
  #map(): IoWindow | undefined {
    const { base, length, barSize } = this.#part;
    const block: RegisterBlock | undefined = this.platform.memory(base, length);
    if (block === undefined) return undefined;
    this.#window = { block, maxWidth: 8, holeStart: length, holeEnd: barSize, gate: undefined };
    return this.#window;
  }
}
