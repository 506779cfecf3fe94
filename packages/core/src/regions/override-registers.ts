import {
  EINVAL,
  msixMappableCapability,
  sparseMmapCapability,
  VFIO_REGION_INFO_FLAG_MMAP,
  VfioError,
} from '@vfiokit/uapi';
import { type Region, type RegionInfo, readByPread, writeByPwrite } from './region.js';
import type { UserBuffer } from './user-buffer.js';

/** Capabilities that say which part of a region can be mapped. */
const MAPPING_CAPABILITIES: readonly number[] = [
  sparseMmapCapability.id,
  msixMappableCapability.id,
];

/** A register of a region that a derived driver answers for in the place of what is below. */
export interface RegionRegister {
  /** Its first byte, from the region's start, naturally aligned. */
  readonly offset: number;
  /** Bytes. */
  readonly length: 1 | 2 | 4;
  /**
   * All of it, also where a user reads some of its bytes: a value, unsigned, or a negated errno. `next` reads the register
   * below; an answer without it does not ask whether memory is enabled.
   */
  read(next: () => number): number;
  /** All of it; where a user writes some of its bytes, the others are what `read` says. 0 or a negated errno; writes are dropped without it. */
  write?(value: number, next: (value: number) => number): number;
}

/**
 * Puts registers in front of a region, on each way in: single accesses, read(2) and write(2) of any bytes, and mmap(2),
 * which the region no longer has, as pages would show what is below. An ioeventfd still writes to the BAR below: an
 * override that minds refuses VFIO_DEVICE_IOEVENTFD in its `ioctl`.
 *
 * @throws VfioError EINVAL for a register that is unaligned, outside of the region, or on another one.
 */
export function overrideRegisters(next: Region, registers: readonly RegionRegister[]): Region {
  return registers.length === 0 ? next : new RegisteredRegion(next, registers);
}

/** A register with its place, and the way to what is below it. */
interface Placed {
  readonly start: number;
  readonly end: number;
  readonly read: () => number;
  readonly write: (value: number) => number;
}

class RegisteredRegion implements Region {
  /** Bytes. */
  readonly #size: number;
  /** By address. */
  readonly #registers: readonly Placed[];
  /** Where the first register starts and the last one ends: most accesses lie outside. */
  readonly #start: number;
  readonly #end: number;

  constructor(
    private readonly next: Region,
    registers: readonly RegionRegister[],
  ) {
    const info = next.info();
    this.#size = typeof info === 'number' ? 0 : info.size;
    this.#registers = registers
      .map((register) => place(register, next))
      .sort((a, b) => a.start - b.start);
    this.#start = this.#registers[0]!.start;
    this.#end = this.#registers.at(-1)!.end;
    let free = 0;
    for (const { start, end } of this.#registers) {
      const fault = this.#fault(start, end, free);
      if (fault !== '')
        throw new VfioError('EINVAL', `register at 0x${start.toString(16)}: ${fault}`);
      free = end;
    }
  }

  /** What is wrong with where a register lies, behind those that end at `free`. */
  #fault(start: number, end: number, free: number): string {
    const bytes = end - start;
    if (this.#size === 0)
      return 'its region has 0 bytes; give the function that BAR, or leave the region alone';
    if (end > this.#size) return `${bytes} bytes there are outside of its region of ${this.#size}`;
    if (start % bytes !== 0) return `is not aligned to its ${bytes} bytes`;
    return start < free ? 'lies on another one' : '';
  }

  info(): RegionInfo | number {
    const info = this.next.info();
    if (typeof info === 'number') return info;
    return {
      size: info.size,
      flags: info.flags & ~VFIO_REGION_INFO_FLAG_MMAP,
      capabilities: info.capabilities.filter(({ id }) => !MAPPING_CAPABILITIES.includes(id)),
    };
  }

  read(offset: number, size: number): number {
    const end = offset + size;
    if (end <= this.#start || offset >= this.#end) return this.next.read(offset, size);
    const register = this.#first(offset, end);
    if (register === undefined) return this.next.read(offset, size);
    if (offset % size !== 0) return -EINVAL;
    if (offset < register.start || end > register.end) return readByPread(this, offset, size);
    const value = register.read();
    return value < 0 ? value : bytesOf(value, offset - register.start, size);
  }

  write(offset: number, size: number, value: number): number {
    const end = offset + size;
    if (end <= this.#start || offset >= this.#end) return this.next.write(offset, size, value);
    const register = this.#first(offset, end);
    if (register === undefined) return this.next.write(offset, size, value);
    if (offset % size !== 0) return -EINVAL;
    if (offset < register.start || end > register.end)
      return writeByPwrite(this, offset, size, value);
    const error = writeBytes(register, offset - register.start, size, value);
    return error < 0 ? error : size;
  }

  pread(into: UserBuffer, offset: number): number {
    // A pointer that faults gets the error of what is below: no byte of a register can be copied either.
    if (!(into instanceof Uint8Array)) return this.next.pread(into, offset);
    return this.#transfer(
      into,
      offset,
      (bytes, at) => this.next.pread(bytes, at),
      (register, bytes, from) => {
        const value = register.read();
        if (value < 0) return value;
        for (let i = 0; i < bytes.length; i += 1) bytes[i] = bytesOf(value, from + i, 1);
        return 0;
      },
    );
  }

  pwrite(from: UserBuffer, offset: number): number {
    if (!(from instanceof Uint8Array)) return this.next.pwrite(from, offset);
    return this.#transfer(
      from,
      offset,
      (bytes, at) => this.next.pwrite(bytes, at),
      (register, bytes, at) => {
        const value = bytes.reduceRight((whole, byte) => whole * 0x100 + byte, 0);
        return writeBytes(register, at, bytes.length, value);
      },
    );
  }

  /** In pieces that lie in one register or beside all of them; one that fails is the answer, though others have happened. */
  #transfer(
    buffer: Uint8Array,
    offset: number,
    below: (bytes: Uint8Array, at: number) => number,
    own: (register: Placed, bytes: Uint8Array, from: number) => number,
  ): number {
    const end = Math.min(offset + buffer.length, this.#size);
    // Also what lies behind the region's end, which has no registers.
    if (this.#first(offset, end) === undefined) return below(buffer, offset);
    for (let at = offset; at < end; ) {
      const register = this.#first(at, end);
      const start = register?.start ?? end;
      const inside = register !== undefined && start <= at;
      const to = Math.min(end, inside ? register.end : start);
      const bytes = buffer.subarray(at - offset, to - offset);
      const result = inside ? own(register, bytes, at - start) : below(bytes, at);
      if (result < 0) return result;
      if (!inside && result < bytes.length) return at + result - offset;
      at = to;
    }
    return end - offset;
  }

  /** The first register of which a range has a byte. */
  #first(from: number, to: number): Placed | undefined {
    for (const register of this.#registers)
      if (register.end > from) return register.start < to ? register : undefined;
    return undefined;
  }
}

function place(register: RegionRegister, next: Region): Placed {
  const { offset, length } = register;
  const readNext = () => next.read(offset, length);
  const writeNext = (value: number) => Math.min(0, next.write(offset, length, value));
  return {
    start: offset,
    end: offset + length,
    read: () => register.read(readNext),
    write: (value) => register.write?.(value, writeNext) ?? 0,
  };
}

/** Some bytes of an unsigned value. */
function bytesOf(value: number, from: number, count: number): number {
  return Math.floor(value / 2 ** (8 * from)) % 2 ** (8 * count);
}

/** Writes some bytes of a register; 0 or a negated errno. */
function writeBytes(register: Placed, from: number, count: number, bytes: number): number {
  const value = (bytes >>> 0) % 2 ** (8 * count);
  if (count === register.end - register.start) return register.write(value);
  const old = register.read();
  if (old < 0) return old;
  return register.write(old + (value - bytesOf(old, from, count)) * 2 ** (8 * from));
}
