import type { PciDevice, RegisterBlock } from '@vfiokit/pci';
import { EINVAL, VFIO_REGION_INFO_FLAG_READ, VFIO_REGION_INFO_FLAG_WRITE } from '@vfiokit/uapi';
import { doIoRw, type IoWindow } from './io.js';
import { type Region, type RegionInfo, readByPread, writeByPwrite } from './region.js';
import type { UserBuffer } from './user-buffer.js';

const SIZE = 0xc0000;

/** The legacy windows of VGA, at the addresses they have on the bus. */
const WINDOWS = [
  { start: 0xa0000, end: 0xc0000 },
  { start: 0x3b0, end: 0x3bc },
  { start: 0x3c0, end: 0x3e0 },
] as const;

interface Window {
  readonly start: number;
  readonly end: number;
  readonly io: IoWindow;
}

/** Widths follow from the distance to a window's start, which need not be aligned on the bus. */
function io(pdev: PciDevice, start: number): IoWindow {
  const block = new ShiftedBlock(pdev.vgaMemory, start);
  return { block, maxWidth: 4, holeStart: 0, holeEnd: 0, gate: undefined };
}

/**
 * Legacy VGA, region 8: one memory window and two of ports, which exist only for a VGA function
 * (vfio_pci_rdwr.c: vfio_pci_vga_rw). Memory enable is not asked for.
 */
export class VgaRegion implements Region {
  readonly #windows: readonly Window[];

  /** @param present the function is a VGA one and VGA access is on; else everything is `-EINVAL`. */
  constructor(
    pdev: PciDevice,
    private readonly present: boolean,
  ) {
    this.#windows = present
      ? WINDOWS.map((window) => ({ ...window, io: io(pdev, window.start) }))
      : [];
  }

  info(): RegionInfo | number {
    if (!this.present) return -EINVAL;
    return {
      size: SIZE,
      flags: VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE,
      capabilities: [],
    };
  }

  read(offset: number, size: number): number {
    return readByPread(this, offset, size);
  }

  write(offset: number, size: number, value: number): number {
    return writeByPwrite(this, offset, size, value);
  }

  pread(into: UserBuffer, offset: number): number {
    return this.#transfer(into, offset, false);
  }

  pwrite(from: UserBuffer, offset: number): number {
    return this.#transfer(from, offset, true);
  }

  #transfer(buffer: UserBuffer, offset: number, isWrite: boolean): number {
    const window = this.#windows.find(({ start, end }) => offset >= start && offset < end);
    if (window === undefined) return -EINVAL;
    const count = Math.min(buffer.length, window.end - offset);
    return doIoRw(window.io, buffer, offset - window.start, count, isWrite);
  }
}

/** A block seen from an offset. */
class ShiftedBlock implements RegisterBlock {
  constructor(
    private readonly block: RegisterBlock,
    private readonly shift: number,
  ) {}

  read(offset: number, size: 1 | 2 | 4): number {
    return this.block.read(this.shift + offset, size);
  }

  write(offset: number, size: 1 | 2 | 4, value: number): void {
    this.block.write(this.shift + offset, size, value);
  }
}
