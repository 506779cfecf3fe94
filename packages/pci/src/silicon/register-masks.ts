import {
  PCI_BASE_ADDRESS_0,
  PCI_CAP_ID_EXP,
  PCI_EXT_CAP_ID_SRIOV,
  PCI_ROM_ADDRESS_MASK,
  PCI_SRIOV_BAR,
} from '../regs/index.js';
import { type BarDescription, barMask, barType, romMask, romRegister } from './base-address.js';
import type { Capability } from './capability-walk.js';
import { capabilityLayout, headerLayout, type RegisterBits } from './register-layout.js';

/** What every bit of a function's configuration space does on writes and on resets, each as long as the space. */
export interface RegisterMasks {
  readonly writeMask: Uint8Array;
  readonly write1ToClear: Uint8Array;
  /** Bits that only the loss of power resets. */
  readonly sticky: Uint8Array;
  /** Bits that a function level reset leaves alone besides. */
  readonly keptByFlr: Uint8Array;
  /** The registers after power-on. */
  readonly powerOn: Uint8Array;
}

/** What is known of a function when its masks are worked out. */
export interface RegisterMaskInput {
  /** As long as the space. */
  readonly config: Uint8Array;
  readonly capabilities: readonly Capability[];
  readonly extendedCapabilities: readonly Capability[];
  readonly bars: readonly (BarDescription | undefined)[];
  readonly vfBars: readonly (BarDescription | undefined)[];
  /** Bytes of the expansion ROM; 0 without one. */
  readonly romSize: number;
  /** Which bits follow writes, where somebody found out; decides over what the capabilities say. */
  readonly writeMask: Uint8Array | undefined;
  readonly write1ToClear: Uint8Array | undefined;
  /** Bits that never change, whatever a capability promises. */
  readonly hardwired: Uint8Array | undefined;
}

/**
 * Works out the masks of a function: from the registers that its capabilities have by the specification, or from a
 * given write mask, which still leaves to the capabilities what resets do.
 *
 * Registers that no known capability owns come out of a reset as the description shows them.
 */
export function registerMasks(input: RegisterMaskInput): RegisterMasks {
  const { config, writeMask: given, write1ToClear: givenClear, hardwired } = input;
  const size = config.length;
  const write = new Uint32Array(size >>> 2);
  const clear = new Uint32Array(size >>> 2);
  const sticky = new Uint32Array(size >>> 2);
  const keptByFlr = new Uint32Array(size >>> 2);
  const powerOn = dwords(config, size);
  const givenWrite = given && dwords(given, size);
  const givenClears = givenClear && dwords(givenClear, size);
  const fixed = hardwired && dwords(hardwired, size);
  if (givenWrite) write.set(givenWrite);
  if (givenClears) clear.set(givenClears);
  for (const bits of allRegisters(input)) {
    const at = bits.at >>> 2;
    const allowed = ~(fixed?.[at] ?? 0);
    // Overlapping capabilities are no reason to lose a bit that one of them has.
    if (!givenWrite) write[at]! |= (bits.write ?? 0) & allowed;
    else write[at]! |= (bits.control ?? 0) & allowed;
    // What 1 clears is mostly 0 when somebody probes, so the specification adds to what was seen.
    clear[at]! |= (bits.clear ?? 0) & allowed;
    write[at]! &= ~clear[at]!;
    const changing = write[at]! | clear[at]!;
    sticky[at]! |= (bits.sticky ?? 0) & changing;
    keptByFlr[at]! |= (bits.keptByFlr ?? 0) & changing;
    const owned = ((bits.write ?? 0) | (bits.clear ?? 0)) & changing;
    powerOn[at] = (powerOn[at]! & ~owned) | ((bits.reset ?? 0) & owned);
  }
  return {
    writeMask: bytes(write),
    write1ToClear: bytes(clear),
    sticky: bytes(sticky),
    keptByFlr: bytes(keptByFlr),
    powerOn: bytes(powerOn),
  };
}

function allRegisters(input: RegisterMaskInput): RegisterBits[] {
  const { config, capabilities, extendedCapabilities, bars, vfBars, romSize } = input;
  const isPcie = capabilities.some(({ id }) => id === PCI_CAP_ID_EXP);
  const rom = romRegister(config);
  const sriov = extendedCapabilities.find(({ id }) => id === PCI_EXT_CAP_ID_SRIOV);
  return [
    ...headerLayout(config, isPcie),
    ...barLayout(PCI_BASE_ADDRESS_0, bars),
    ...(romSize > 0 && rom > 0 ? [{ at: rom, write: romMask(romSize) }] : []),
    ...capabilities.flatMap((capability) => capabilityLayout(capability, false, config)),
    ...extendedCapabilities.flatMap((capability) => capabilityLayout(capability, true, config)),
    ...(sriov === undefined ? [] : barLayout(sriov.at + PCI_SRIOV_BAR, vfBars)),
  ];
}

function barLayout(first: number, bars: readonly (BarDescription | undefined)[]): RegisterBits[] {
  return bars.flatMap((bar, index) => {
    if (bar === undefined) return [];
    const at = first + 4 * index;
    const mask = barMask(bar);
    const low = { at, write: Number(mask & 0xffffffffn) & ~barType(bar) };
    return bar.is64Bit === true ? [low, { at: at + 4, write: Number(mask >> 32n) }] : [low];
  });
}

/** Puts BARs' type bits into configuration bytes, where a description gives BARs that the bytes do not show. */
export function showBars(
  config: Uint8Array,
  first: number,
  bars: readonly (BarDescription | undefined)[],
): void {
  for (const [index, bar] of bars.entries()) {
    if (bar === undefined) continue;
    const at = first + 4 * index;
    const typeBits = bar.kind === 'io' ? 0x3 : 0xf;
    config[at] = (config[at]! & ~typeBits) | barType(bar);
  }
}

/** The size of a ROM, from the write mask of its base address register; 0 without one. */
export function romSizeOfMask(writeMask: Uint8Array, register: number): number {
  const mask = dwords(writeMask.subarray(register, register + 4), 4)[0]!;
  const address = mask & PCI_ROM_ADDRESS_MASK;
  return address === 0 ? 0 : (address & -address) >>> 0;
}

function dwords(from: Uint8Array, size: number): Uint32Array {
  const out = new Uint32Array(size >>> 2);
  for (let i = 0; i < Math.min(from.length, size); i += 1)
    out[i >>> 2]! |= from[i]! << ((i & 3) << 3);
  return out;
}

function bytes(from: Uint32Array): Uint8Array {
  const out = new Uint8Array(from.length * 4);
  for (let i = 0; i < out.length; i += 1) out[i] = from[i >>> 2]! >>> ((i & 3) << 3);
  return out;
}
