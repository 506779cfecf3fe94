import type { Apqn } from './apqn.js';

/** The function codes of PQAP: general register 0, bits 32 to 39. */
export const PQAP = {
  TAPQ: 0,
  RAPQ: 1,
  ZAPQ: 2,
  AQIC: 3,
  QCI: 4,
  QACT: 5,
  BAPQ: 7,
  AAPQ: 8,
} as const;

/** General register 0 of PQAP, taken apart. */
export interface PqapFunction {
  readonly code: number;
  /** Bit 40: TAPQ is to fill the facility half of register 2. */
  readonly t: boolean;
  /** Bits 41 to 47, which must be zero where a function does not define them. */
  readonly reserved: number;
  readonly apqn: Apqn;
}

/** Reads general register 0. */
export function decodePqap(gr0: bigint): PqapFunction {
  const word = Number(gr0 & 0xffff_ffffn);
  return {
    code: word >>> 24,
    t: (word & 0x0080_0000) !== 0,
    reserved: (word >>> 16) & 0x7f,
    apqn: word & 0xffff,
  };
}

/** General register 0 for a function on a queue. */
export function encodePqap(code: number, apqn: Apqn, bits: { readonly t?: boolean } = {}): bigint {
  return BigInt(((code << 24) | (bits.t ? 0x0080_0000 : 0) | apqn) >>> 0);
}

/** General register 1 of PQAP(AQIC), as far as a guest fills it: enable (bit 16), and subclass (bits 61 to 63). */
export function decodeAqic(gr1: bigint): { readonly enable: boolean; readonly isc: number } {
  return { enable: ((gr1 >> 47n) & 1n) === 1n, isc: Number(gr1 & 7n) };
}

/** The opposite of {@link decodeAqic}. */
export function encodeAqic(enable: boolean, isc: number): bigint {
  return (enable ? 1n << 47n : 0n) | BigInt(isc);
}
