import {
  type Region,
  type RegionInfo,
  readByPread,
  type UserBuffer,
  writeByPwrite,
} from '@vfiokit/core';
import { EFAULT } from '@vfiokit/uapi';

const PCI_BASE_ADDRESS_2 = 0x18;
const PCI_BASE_ADDRESS_4 = 0x20;
/** Both pairs of registers end here. */
const END = 0x28;
const REGISTER_LENGTH = 8;
/** PCI_BASE_ADDRESS_MEM_TYPE_64 and PCI_BASE_ADDRESS_MEM_PREFETCH. */
const MEMORY_64_PREFETCH = 0xc;

/** The base address registers of one fake BAR: what was written, of which the address bits read back. */
export class FakeBarRegister {
  readonly #shadow = new DataView(new ArrayBuffer(REGISTER_LENGTH));
  /** Address bits of the low and of the high register. */
  readonly #lowMask: number;
  readonly #highMask: number;

  /** @param barSize a power of two. */
  constructor(barSize: number) {
    this.#lowMask = barSize >= 2 ** 32 ? 0 : -barSize;
    this.#highMask = barSize > 2 ** 32 ? -(barSize / 2 ** 32) : -1;
  }

  /** What reads see, naturally aligned. */
  read(from: number, size: number): number {
    const value =
      from < 4
        ? (this.#shadow.getUint32(0, true) & this.#lowMask) | MEMORY_64_PREFETCH
        : this.#shadow.getUint32(4, true) & this.#highMask;
    return size === 4 ? value >>> 0 : (value >>> (8 * (from & 3))) & (size === 2 ? 0xffff : 0xff);
  }

  write(from: number, size: number, value: number): void {
    if (size === 4) this.#shadow.setUint32(from, value, true);
    else if (size === 2) this.#shadow.setUint16(from, value, true);
    else this.#shadow.setUint8(from, value);
  }

  reset(): void {
    this.#shadow.setBigUint64(0, 0n);
  }
}

/** Where a range meets a register. */
interface Overlap {
  readonly register: FakeBarRegister | undefined;
  /** From the register's start. */
  readonly from: number;
  /** From the range's start. */
  readonly at: number;
  readonly count: number;
}

/**
 * Configuration space with the registers of the fake BARs laid over it
 * (nvgrace-gpu/main.c: nvgrace_gpu_read_config_emu, nvgrace_gpu_write_config_emu).
 *
 * A call deals with one pair of registers only, the first that it touches, as in the kernel: a read over both shows the
 * hardware's second one, a write is over with the bytes of the first.
 */
export class FakeBarConfig implements Region {
  /** @param resmem undefined where BARs 2 and 3 are the hardware's. */
  constructor(
    private readonly next: Region,
    private readonly resmem: FakeBarRegister | undefined,
    private readonly usemem: FakeBarRegister,
  ) {}

  info(): RegionInfo | number {
    return this.next.info();
  }

  read(offset: number, size: number): number {
    if ((offset & (size - 1)) !== 0) return readByPread(this, offset, size);
    const register = this.#registerAt(offset);
    const value = this.next.read(offset, size);
    return register === undefined || value < 0 ? value : register.read(offset & 7, size);
  }

  write(offset: number, size: number, value: number): number {
    if ((offset & (size - 1)) !== 0) return writeByPwrite(this, offset, size, value);
    const register = this.#registerAt(offset);
    if (register === undefined) return this.next.write(offset, size, value);
    register.write(offset & 7, size, value);
    return size;
  }

  pread(into: UserBuffer, offset: number): number {
    const count = this.next.pread(into, offset);
    const overlap = this.#overlap(offset, into.length);
    if (count <= 0 || overlap?.register === undefined) return count;
    if (!(into instanceof Uint8Array)) return -EFAULT;
    for (let i = 0; i < overlap.count; i += 1)
      into[overlap.at + i] = overlap.register.read(overlap.from + i, 1);
    return count;
  }

  /** Only the bytes of the register count as written: a short write. */
  pwrite(from: UserBuffer, offset: number): number {
    const overlap = this.#overlap(offset, from.length);
    if (overlap?.register === undefined) return this.next.pwrite(from, offset);
    if (!(from instanceof Uint8Array)) return -EFAULT;
    for (let i = 0; i < overlap.count; i += 1)
      overlap.register.write(overlap.from + i, 1, from[overlap.at + i]!);
    return overlap.count;
  }

  /** The register of a naturally aligned access, which lies inside one pair. */
  #registerAt(offset: number): FakeBarRegister | undefined {
    if (offset < PCI_BASE_ADDRESS_2 || offset >= END) return undefined;
    return offset < PCI_BASE_ADDRESS_4 ? this.resmem : this.usemem;
  }

  #overlap(offset: number, length: number): Overlap | undefined {
    return (
      intersect(offset, length, PCI_BASE_ADDRESS_2, this.resmem) ??
      intersect(offset, length, PCI_BASE_ADDRESS_4, this.usemem)
    );
  }
}

/** vfio_pci_core.c: vfio_pci_core_range_intersect_range. */
function intersect(
  offset: number,
  length: number,
  start: number,
  register: FakeBarRegister | undefined,
): Overlap | undefined {
  const from = Math.max(offset, start);
  const to = Math.min(offset + length, start + REGISTER_LENGTH);
  if (from >= to) return undefined;
  return { register, from: from - start, at: from - offset, count: to - from };
}
