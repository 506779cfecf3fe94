import type { PciDevice, PciResource } from '@vfiokit/pci';
import {
  type DeviceMapping,
  EINVAL,
  EIO,
  type InfoCapability,
  msixMappableCapability,
  VFIO_REGION_INFO_FLAG_MMAP,
  VFIO_REGION_INFO_FLAG_READ,
  VFIO_REGION_INFO_FLAG_WRITE,
} from '@vfiokit/uapi';
import { doIoRw, type IoWindow } from './io.js';
import type { Mappings } from './mappings.js';
import type { MemoryGate } from './memory-gate.js';
import type { Region, RegionInfo } from './region.js';
import type { UserBuffer } from './user-buffer.js';

/** The table of MSI-X, which the user must not write behind the host's back. */
export interface MsixTable {
  readonly bar: number;
  readonly offset: number;
  readonly size: number;
}

/** What is known of a BAR when its device opens. */
export interface BarOptions {
  readonly pdev: Pick<PciDevice, 'resources' | 'barMemory'>;
  readonly index: number;
  /** 0, or why the BAR can't be accessed: `-EBUSY`, `-ENODEV`, `-ENOMEM`. */
  readonly error: number;
  /** Pages of it may be mapped (vfio_pci_probe_mmaps). */
  readonly mappable: boolean;
  readonly msixTable: MsixTable | undefined;
  readonly gate: MemoryGate;
  readonly mappings: Mappings;
  /** What I/O BARs ask; nothing in the kernel (quirk W17). */
  readonly portGate: MemoryGate | undefined;
}

/** A base address register's region, 0 to 5 (vfio_pci_rdwr.c: vfio_pci_bar_rw). */
export class BarRegion implements Region {
  /** Bytes; 0 where the BAR is absent or has no address. */
  readonly size: number;
  readonly resource: PciResource;
  readonly window: IoWindow;
  readonly #o: BarOptions;
  readonly #gate: MemoryGate | undefined;

  constructor(options: BarOptions) {
    const { pdev, index, msixTable, gate } = options;
    this.#o = options;
    this.resource = pdev.resources[index]!;
    // A BAR whose host address is 0 counts as unimplemented (quirk W27).
    this.size = this.resource.start === 0n ? 0 : this.resource.length;
    this.#gate = this.resource.isMemory ? gate : options.portGate;
    const hasTable = msixTable !== undefined && msixTable.bar === index;
    this.window = {
      block: pdev.barMemory(index),
      maxWidth: 8,
      holeStart: hasTable ? msixTable.offset : 0,
      holeEnd: hasTable ? msixTable.offset + msixTable.size : 0,
      gate: this.#gate,
    };
  }

  info(): RegionInfo {
    const { mappable, index, msixTable } = this.#o;
    const { length } = this.resource;
    if (length === 0) return { size: 0, flags: 0, capabilities: [] };
    const capabilities: InfoCapability[] =
      mappable && msixTable?.bar === index ? [msixMappableCapability.encode({})] : [];
    const flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
    return {
      size: length,
      flags: mappable ? flags | VFIO_REGION_INFO_FLAG_MMAP : flags,
      capabilities,
    };
  }

  read(offset: number, size: number): number {
    const error = this.#check(offset, size);
    if (error < 0) return error;
    if (this.#inHole(offset, size)) return size === 4 ? 0xffffffff : 2 ** (8 * size) - 1;
    if (this.#gate !== undefined && !this.#gate.open) return -EIO;
    return this.window.block.read(offset, size as 1 | 2 | 4);
  }

  write(offset: number, size: number, value: number): number {
    const error = this.#check(offset, size);
    if (error < 0) return error;
    if (this.#inHole(offset, size)) return size;
    if (this.#gate !== undefined && !this.#gate.open) return -EIO;
    this.window.block.write(offset, size as 1 | 2 | 4, value);
    return size;
  }

  pread(into: UserBuffer, offset: number): number {
    return this.#transfer(into, offset, false);
  }

  pwrite(from: UserBuffer, offset: number): number {
    return this.#transfer(from, offset, true);
  }

  mmap(offset: number, length: number): DeviceMapping | number {
    const { error, mappable, mappings } = this.#o;
    if (!mappable) return -EINVAL;
    if (offset + length > mappings.pageAlign(this.resource.length)) return -EINVAL;
    if (error < 0) return error;
    return mappings.map(this.window.block, offset, length);
  }

  #transfer(buffer: UserBuffer, offset: number, isWrite: boolean): number {
    if (offset >= this.size) return -EINVAL;
    if (this.#o.error < 0) return this.#o.error;
    const count = Math.min(buffer.length, this.size - offset);
    return doIoRw(this.window, buffer, offset, count, isWrite);
  }

  /** What a single access may not do: leave the BAR, be unaligned, or cross the edge of the hole. */
  #check(offset: number, size: number): number {
    if (offset + size > this.size || offset % size !== 0) return -EINVAL;
    return this.#o.error;
  }

  #inHole(offset: number, size: number): boolean {
    const { holeStart, holeEnd } = this.window;
    // The table's entries are 16 bytes long and aligned, so an aligned access lies inside or outside.
    return offset < holeEnd && offset + size > holeStart;
  }
}
