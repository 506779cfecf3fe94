import { VfioError } from '@vfiokit/uapi';
import {
  PCI_BASE_ADDRESS_MEM_PREFETCH,
  PCI_BASE_ADDRESS_MEM_TYPE_64,
  PCI_BASE_ADDRESS_MEM_TYPE_MASK,
  PCI_BASE_ADDRESS_SPACE_IO,
  PCI_HEADER_TYPE,
  PCI_HEADER_TYPE_BRIDGE,
  PCI_HEADER_TYPE_CARDBUS,
  PCI_HEADER_TYPE_MASK,
  PCI_ROM_ADDRESS,
  PCI_ROM_ADDRESS_ENABLE,
  PCI_ROM_ADDRESS1,
} from '../regs/index.js';
import type { RegisterBlock } from './register-block.js';

/** A base address register as its designer sees it. */
export interface BarDescription {
  /** Bytes, a power of two: at least 16 for memory, 4 for I/O. */
  readonly size: number;
  readonly kind: 'memory' | 'io';
  /** Takes this register and the next. */
  readonly is64Bit?: boolean;
  readonly prefetchable?: boolean;
  /** What lies behind it; nobody answers without. */
  readonly block?: RegisterBlock;
}

/** How many base address registers a header type has. */
export function barCount(config: Uint8Array): number {
  switch (config[PCI_HEADER_TYPE]! & PCI_HEADER_TYPE_MASK) {
    case PCI_HEADER_TYPE_BRIDGE:
      return 2;
    case PCI_HEADER_TYPE_CARDBUS:
      return 1;
    default:
      return 6;
  }
}

/** Where the header keeps the expansion ROM's base address; 0 where it has none. */
export function romRegister(config: Uint8Array): number {
  switch (config[PCI_HEADER_TYPE]! & PCI_HEADER_TYPE_MASK) {
    case PCI_HEADER_TYPE_BRIDGE:
      return PCI_ROM_ADDRESS1;
    case PCI_HEADER_TYPE_CARDBUS:
      return 0;
    default:
      return PCI_ROM_ADDRESS;
  }
}

/** The address bits of a BAR: what reads back after all-ones were written, without the type bits (PCI 3.0 6.2.5.1). */
export function barMask(bar: BarDescription): bigint {
  const width = bar.is64Bit === true ? 64n : 32n;
  return ((1n << width) - 1n) & ~(BigInt(bar.size) - 1n);
}

/** The hardwired low bits that say what kind of BAR it is. */
export function barType(bar: BarDescription): number {
  if (bar.kind === 'io') return PCI_BASE_ADDRESS_SPACE_IO;
  return (
    (bar.is64Bit === true ? PCI_BASE_ADDRESS_MEM_TYPE_64 : 0) |
    (bar.prefetchable === true ? PCI_BASE_ADDRESS_MEM_PREFETCH : 0)
  );
}

/** The address bits of a ROM's base address register, with its enable bit. */
export function romMask(size: number): number {
  return (0x100000000 - Math.max(size, 2048) + PCI_ROM_ADDRESS_ENABLE) >>> 0;
}

/** What is wrong with a BAR's size, thrown with the function's name in front. */
export function checkBar(subject: string, index: number, count: number, bar: BarDescription): void {
  const least = bar.kind === 'io' ? 4 : 16;
  const log = Math.log2(bar.size);
  if (bar.size < least || !Number.isInteger(log))
    throw new VfioError(
      'EINVAL',
      `${subject}: BAR ${index} has ${bar.size} bytes; it needs a power of two from ${least} on`,
    );
  if (bar.is64Bit === true && (bar.kind === 'io' || index + 1 >= count))
    throw new VfioError('EINVAL', `${subject}: BAR ${index} cannot be a 64-bit one`);
  if (bar.is64Bit !== true && log > 31)
    throw new VfioError(
      'EINVAL',
      `${subject}: BAR ${index} has ${bar.size} bytes; more than 2 GiB needs a 64-bit BAR`,
    );
}

const PAGE = 4096;

/**
 * Reads BARs out of configuration bytes, from `first` on.
 *
 * A BAR's size does not show in its value. Where a write mask was probed, the size follows from it; else it is a guess
 * that is never too large: the address's alignment, at most a page (memory) or 32 bytes (I/O).
 *
 * @returns one entry a register; undefined for an absent one and for the upper half of a 64-bit one.
 */
export function readBars(
  config: Uint8Array,
  first: number,
  count: number,
  writeMask?: Uint8Array,
): (BarDescription | undefined)[] {
  const bars: (BarDescription | undefined)[] = Array.from({ length: count }, () => undefined);
  for (let index = 0; index < count; index += 1) {
    const at = first + 4 * index;
    const value = dword(config, at);
    const mask = writeMask && dword(writeMask, at);
    const high = index + 1 < count ? dword(config, at + 4) : 0;
    const highMask = writeMask && dword(writeMask, at + 4);
    const bar = readBar({ value, high, mask, highMask, mayBe64Bit: index + 1 < count });
    bars[index] = bar;
    if (bar?.is64Bit === true) index += 1;
  }
  return bars;
}

interface BarRegisters {
  readonly value: number;
  readonly high: number;
  readonly mask: number | undefined;
  readonly highMask: number | undefined;
  readonly mayBe64Bit: boolean;
}

function readBar({
  value,
  high,
  mask,
  highMask,
  mayBe64Bit,
}: BarRegisters): BarDescription | undefined {
  const isIo = (value & PCI_BASE_ADDRESS_SPACE_IO) !== 0;
  const type = value & PCI_BASE_ADDRESS_MEM_TYPE_MASK;
  const is64Bit = !isIo && type === PCI_BASE_ADDRESS_MEM_TYPE_64 && mayBe64Bit;
  const addressBits = isIo ? ~3 : ~15;
  let size: number;
  if (mask !== undefined) {
    size = sizeOfMask(mask & addressBits, is64Bit ? (highMask ?? 0) : 0);
  } else {
    const address = BigInt((value & addressBits) >>> 0) | (is64Bit ? BigInt(high) << 32n : 0n);
    size = value === 0 ? 0 : guessedSize(address, isIo ? 4 : 16, isIo ? 32 : PAGE);
  }
  if (size === 0) return undefined;
  return {
    size,
    kind: isIo ? 'io' : 'memory',
    is64Bit,
    prefetchable: !isIo && (value & PCI_BASE_ADDRESS_MEM_PREFETCH) !== 0,
  };
}

function guessedSize(address: bigint, least: number, most: number): number {
  const alignment = address === 0n ? most : Number(address & -address);
  return Math.max(least, Math.min(alignment, most));
}

/** The lowest bit that an address can have set is the size; 0 where no bit can be set. */
function sizeOfMask(low: number, high: number): number {
  return low !== 0 ? (low & -low) >>> 0 : 2 ** 32 * ((high & -high) >>> 0);
}

function dword(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let i = 3; i >= 0; i -= 1) value = (value << 8) | (bytes[at + i] ?? 0);
  return value >>> 0;
}
