import { EFAULT } from '@vfiokit/uapi';
import { PCI_CFG_SPACE_EXP_SIZE, PCI_CFG_SPACE_SIZE } from '../regs/index.js';
import { allOnes, type ConfigAccess } from './config-access.js';

/**
 * What a register does besides holding bits. It owns one aligned dword.
 *
 * Effects run after the bits have followed their masks, and may {@link ConfigSpace.poke} the outcome.
 */
export interface RegisterEffect {
  /** Replaces what a read sees: gets the dword as stored, returns the dword as shown. */
  read?(stored: number): number;
  /** A write reached the dword. */
  written?(write: RegisterWrite): void;
}

/** A write as the register sees it: a whole dword of which some byte lanes were written. */
export interface RegisterWrite {
  /** What was written, zero outside the lanes. */
  readonly value: number;
  /** Ones in the byte lanes that the write covered. */
  readonly lanes: number;
  /** The dword before. */
  readonly before: number;
  /** The dword now, after masks and write-1-to-clear. */
  readonly after: number;
}

/** What a configuration space starts from. Masks and contents are indexed by register address. */
export interface ConfigSpaceOptions {
  /** Power-on contents; what is missing up to `size` is zero. */
  readonly bytes: Uint8Array;
  /** Ones where a bit takes what is written; missing bytes are zero. */
  readonly writeMask?: Uint8Array;
  /** Ones where writing 1 clears a bit; takes precedence over `writeMask`. */
  readonly write1ToClear?: Uint8Array;
  /** 256 or 4096; without it the smaller that holds `bytes`. */
  readonly size?: number;
}

/**
 * The configuration registers of a function, bit by bit: read-only unless a mask says that the bit follows writes or
 * is cleared by writing 1.
 */
export class ConfigSpace implements ConfigAccess {
  readonly size: number;
  /** The registers themselves; live. */
  readonly bytes: Uint8Array;
  readonly writeMask: Uint8Array;
  readonly write1ToClear: Uint8Array;
  readonly #view: DataView;
  readonly #maskView: DataView;
  readonly #clearView: DataView;
  /** One entry a dword: 0 plain, else 1 + an index into the effects. */
  readonly #owners: Uint8Array;
  readonly #effects: RegisterEffect[] = [];
  /** Accesses must end here; 0 while the function does not answer, which leaves the plain path free of a test for it. */
  #limit: number;

  constructor(options: ConfigSpaceOptions) {
    const { bytes, writeMask, write1ToClear } = options;
    this.size =
      options.size ??
      (bytes.length > PCI_CFG_SPACE_SIZE ? PCI_CFG_SPACE_EXP_SIZE : PCI_CFG_SPACE_SIZE);
    this.bytes = sized(bytes, this.size);
    this.writeMask = sized(writeMask, this.size);
    this.write1ToClear = sized(write1ToClear, this.size);
    for (let i = 0; i < this.size; i += 1) this.writeMask[i]! &= ~this.write1ToClear[i]!;
    this.#view = viewOf(this.bytes);
    this.#maskView = viewOf(this.writeMask);
    this.#clearView = viewOf(this.write1ToClear);
    this.#owners = new Uint8Array(this.size >>> 2);
    this.#limit = this.size;
  }

  /** Whether the function answers at all; false in D3cold. */
  get present(): boolean {
    return this.#limit !== 0;
  }

  set present(present: boolean) {
    this.#limit = present ? this.size : 0;
  }

  read(offset: number, size: number): number {
    if ((offset >>> 0) + size > this.#limit || (offset & (size - 1)) !== 0)
      return this.#refuseRead(offset, size);
    const at = offset & ~3;
    const owner = this.#owners[at >>> 2]!;
    const stored = this.#view.getUint32(at, true);
    const dword = owner === 0 ? stored : this.#readEffect(owner, stored);
    if (size === 4) return dword;
    return (dword >>> ((offset & 3) << 3)) & (size === 2 ? 0xffff : 0xff);
  }

  write(offset: number, size: number, value: number): number {
    if ((offset >>> 0) + size > this.#limit || (offset & (size - 1)) !== 0)
      return this.#refuseWrite(offset, size);
    const at = offset & ~3;
    const shift = (offset & 3) << 3;
    const lanes = size === 4 ? -1 : (size === 2 ? 0xffff : 0xff) << shift;
    const shifted = value << shift;
    const before = this.#view.getUint32(at, true);
    const mask = this.#maskView.getUint32(at, true) & lanes;
    const cleared = this.#clearView.getUint32(at, true) & lanes & shifted;
    const after = ((before & ~mask) | (shifted & mask)) & ~cleared;
    this.#view.setUint32(at, after, true);
    const owner = this.#owners[at >>> 2]!;
    if (owner !== 0) this.#writeEffect(owner, shifted, lanes, before, after);
    return 0;
  }

  /** Gives a dword an effect. One dword has one; a second attachment replaces the first. */
  attach(offset: number, effect: RegisterEffect): void {
    this.#effects.push(effect);
    this.#owners[offset >>> 2] = this.#effects.length;
  }

  /** Sets hardware state past all masks and effects: captures, tests, replay, a register that hardware changes. */
  poke(offset: number, bytes: Uint8Array): void {
    this.bytes.set(bytes, offset);
  }

  /** One 16-bit register as stored, without effects. */
  peek16(offset: number): number {
    return this.#view.getUint16(offset, true);
  }

  /** One 32-bit register as stored, without effects. */
  peek32(offset: number): number {
    return this.#view.getUint32(offset, true);
  }

  /** {@link poke} of one 16-bit register. */
  poke16(offset: number, value: number): void {
    this.#view.setUint16(offset, value, true);
  }

  /** {@link poke} of one 32-bit register. */
  poke32(offset: number, value: number): void {
    this.#view.setUint32(offset, value, true);
  }

  #readEffect(owner: number, stored: number): number {
    const effect = this.#effects[owner - 1]!;
    return effect.read === undefined ? stored : effect.read(stored) >>> 0;
  }

  #writeEffect(owner: number, value: number, lanes: number, before: number, after: number): void {
    this.#effects[owner - 1]!.written?.({
      value: (value & lanes) >>> 0,
      lanes: lanes >>> 0,
      before,
      after: after >>> 0,
    });
  }

  #refuseRead(offset: number, size: number): number {
    return this.#inside(offset, size) ? allOnes(size) : -EFAULT;
  }

  #refuseWrite(offset: number, size: number): number {
    return this.#inside(offset, size) ? 0 : -EFAULT;
  }

  #inside(offset: number, size: number): boolean {
    return (offset >>> 0) + size <= this.size && (offset & (size - 1)) === 0;
  }
}

function sized(bytes: Uint8Array | undefined, size: number): Uint8Array {
  const copy = new Uint8Array(size);
  if (bytes !== undefined) copy.set(bytes.subarray(0, size));
  return copy;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
