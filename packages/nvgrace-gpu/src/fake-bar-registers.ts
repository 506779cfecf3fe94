import type { Region, RegionInfo, UserBuffer } from '@vfiokit/core';
import { EFAULT } from '@vfiokit/uapi';

const PCI_BASE_ADDRESS_2 = 0x18;
const PCI_BASE_ADDRESS_4 = 0x20;
/** Both pairs of registers end here. */
const END = 0x28;
const REGISTER_LENGTH = 8;
const PCI_BASE_ADDRESS_MEM_TYPE_64 = 0x4n;
const PCI_BASE_ADDRESS_MEM_PREFETCH = 0x8n;

/** The base address registers of one fake BAR: what was written, of which the address bits read back. */
export class FakeBarRegister {
  readonly #shadow = new DataView(new ArrayBuffer(REGISTER_LENGTH));

  constructor(private readonly barSize: number) {}

  /** Byte `index` of the value that reads see. */
  byte(index: number): number {
    const address = this.#shadow.getBigUint64(0, true) & ~(BigInt(this.barSize) - 1n);
    const value = address | PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH;
    return Number((value >> BigInt(8 * index)) & 0xffn);
  }

  setByte(index: number, value: number): void {
    this.#shadow.setUint8(index, value);
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
    const value = this.next.read(offset, size);
    if (value < 0 || offset >= END || offset + size <= PCI_BASE_ADDRESS_2) return value;
    const { register, from } = this.#overlap(offset, size)!;
    if (register === undefined) return value;
    // A naturally aligned access lies inside one pair.
    let patched = 0;
    for (let i = size - 1; i >= 0; i -= 1) patched = patched * 0x100 + register.byte(from + i);
    return patched;
  }

  write(offset: number, size: number, value: number): number {
    if (offset >= END || offset + size <= PCI_BASE_ADDRESS_2)
      return this.next.write(offset, size, value);
    const { register, from } = this.#overlap(offset, size)!;
    if (register === undefined) return this.next.write(offset, size, value);
    for (let i = 0; i < size; i += 1) register.setByte(from + i, value >>> (8 * i));
    return size;
  }

  pread(into: UserBuffer, offset: number): number {
    const count = this.next.pread(into, offset);
    const overlap = this.#overlap(offset, into.length);
    if (count <= 0 || overlap?.register === undefined) return count;
    if (!(into instanceof Uint8Array)) return -EFAULT;
    for (let i = 0; i < overlap.count; i += 1)
      into[overlap.at + i] = overlap.register.byte(overlap.from + i);
    return count;
  }

  /** Only the bytes of the register count as written: a short write. */
  pwrite(from: UserBuffer, offset: number): number {
    const overlap = this.#overlap(offset, from.length);
    if (overlap?.register === undefined) return this.next.pwrite(from, offset);
    if (!(from instanceof Uint8Array)) return -EFAULT;
    for (let i = 0; i < overlap.count; i += 1)
      overlap.register.setByte(overlap.from + i, from[overlap.at + i]!);
    return overlap.count;
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
