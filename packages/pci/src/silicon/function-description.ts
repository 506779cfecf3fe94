import type { BarDescription } from './base-address.js';
import type { RegisterBlock } from './register-block.js';

/** How a function is reset. */
export type ResetKind =
  /** Function level reset, by PCI Express or Advanced Features. */
  | 'flr'
  /** The way back from D3hot of a function that does not keep its registers. */
  | 'soft'
  /** Its bus was reset: a hot reset, or RST# of a conventional bus. */
  | 'bus'
  /** Power was gone. */
  | 'cold';

/** Configuration space after a reset, or what the reset makes of the registers that it finds. */
export type ResetOutcome = Uint8Array | ((registers: Uint8Array) => Uint8Array);

/**
 * A function as a literal: what its registers hold, which of them can be written, what lies behind its BARs.
 *
 * Only `config` is needed. The rest follows from the specification, by the capabilities that the bytes show, or is an
 * open bus.
 */
export interface FunctionDescription {
  /** Configuration space as powered on or as captured; bytes beyond the end are zero. */
  readonly config: Uint8Array;
  /** 256 or 4096; without it 4096 if `config` is longer than 256 bytes. */
  readonly configSize?: number;
  /**
   * Bits that follow writes, as a probe found them. Without it they follow from the capabilities.
   *
   * Probes leave alone what would switch mechanisms on (D-states, MSI enable, VF Enable …); those bits need not be in it.
   */
  readonly writeMask?: Uint8Array;
  /** Bits that writing 1 clears, in addition to those of the specification. */
  readonly write1ToClear?: Uint8Array;
  /** Bits that never change although a capability or the header says so, such as D-states that are not implemented. */
  readonly hardwired?: Uint8Array;
  /** By register number. Without it they are read out of `config`, with sizes from `writeMask` or guessed. */
  readonly bars?: readonly (BarDescription | undefined)[];
  /** The expansion ROM's contents, or its size in bytes where they are not known. */
  readonly rom?: Uint8Array | number;
  /** What the VPD registers reach. A function with the capability but without contents never answers. */
  readonly vpd?: Uint8Array;
  /** Legacy VGA, by bus address: 0xa0000 to 0xbffff memory, 0x3b0 to 0x3df ports. */
  readonly vga?: RegisterBlock;
  /** What resets really do, where somebody recorded it; else the specification says. */
  readonly resets?: Readonly<Partial<Record<ResetKind, ResetOutcome>>>;
  /** BARs of the VFs of a physical function, by register number; from `config` without it. */
  readonly vfBars?: readonly (BarDescription | undefined)[];
  /** Describes a VF, counted from 0, of a physical function; a plain one derived from the PF without it. */
  readonly virtualFunction?: (vf: number) => FunctionDescription;
  /** Called after a reset of any kind, when the registers are back: for devices with state of their own. */
  readonly onReset?: (kind: ResetKind) => void;
}
