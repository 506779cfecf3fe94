import { ApMask } from '../arch/mask.js';
import { type ApMatrix, EMPTY_MATRIX } from '../arch/matrix.js';

/**
 * Which part of a crypto control block SIE takes a guest's AP masks from, as the low two bits of its designation tell:
 * 0 and 1 the short masks of APCB0, 2 (coded 3) the 256-bit masks of APCB1.
 */
export type CrycbFormat = 0 | 1 | 2;

/** Bytes of a crypto control block. */
export const CRYCB_SIZE = 256;

/** The low bits of the designation that select a format. */
export const CRYCB_FORMAT_BITS: Readonly<Record<CrycbFormat, number>> = { 0: 0, 1: 1, 2: 3 };

/** Where an AP control block lies in the crypto control block, and how much of each mask it holds. */
const APCB = {
  short: { start: 0x00, size: 0x20, apm: [0x00, 8], aqm: [0x08, 2], adm: [0x10, 2] },
  long: { start: 0x80, size: 0x80, apm: [0x80, 32], aqm: [0xa0, 32], adm: [0xc0, 32] },
} as const;

/** The format that KVM chooses for a guest (kvm-s390.c: kvm_s390_set_crycb_format). */
export function crycbFormat(guestHasMsa3: boolean, hostHasApxa: boolean): CrycbFormat {
  if (!guestHasMsa3) return 0;
  return hostHasApxa ? 2 : 1;
}

/** The AP masks of a control block in a format. What a short format cannot hold is absent. */
export function readMasks(crycb: Uint8Array, format: CrycbFormat): ApMatrix {
  const layout = format === 2 ? APCB.long : APCB.short;
  const mask = ([at, length]: readonly [number, number]): ApMask =>
    ApMask.fromBytes(crycb.subarray(at, at + length));
  return { apm: mask(layout.apm), aqm: mask(layout.aqm), adm: mask(layout.adm) };
}

/** Writes AP masks in a format; higher ids than it holds are dropped without a word, as KVM does. */
export function writeMasks(crycb: Uint8Array, format: CrycbFormat, masks: ApMatrix): void {
  const layout = format === 2 ? APCB.long : APCB.short;
  for (const name of ['apm', 'aqm', 'adm'] as const) {
    const [at, length] = layout[name];
    crycb.set(masks[name].toBytes().subarray(0, length), at);
  }
}

/** Zeroes both AP control blocks; key wrapping masks stay. */
export function clearMasks(crycb: Uint8Array): void {
  for (const { start, size } of [APCB.short, APCB.long]) crycb.fill(0, start, start + size);
}

/** What a guest's instructions can name at all in a format, whatever its masks say. */
export function addressable(format: CrycbFormat): ApMatrix {
  if (format === 2) return { apm: ApMask.ALL, aqm: ApMask.ALL, adm: ApMask.ALL };
  return { apm: ApMask.range(0, 63), aqm: ApMask.range(0, 15), adm: ApMask.range(0, 15) };
}

/** What a nested guest's SIE block asks for. */
export interface NestedRequest {
  /** CRYCBD: a 31-bit address in the outer guest's storage, and the format in the low two bits. */
  readonly designation: number;
  /** Whether the nested SIE block switches AP interpretation on (ECA.APIE). */
  readonly apie: boolean;
  /** Reads the outer guest's storage; `undefined` where nothing is mapped. */
  readonly read: (address: number, length: number) => Uint8Array | undefined;
}

/** What the outer guest has. */
export interface OuterGuest {
  readonly crycb: Uint8Array;
  readonly format: CrycbFormat;
  readonly apie: boolean;
}

/** The reasons why a nested guest cannot be entered: codes of the validity interception. */
export const CRYCB_VALIDITY = {
  UNREADABLE: 0x0035,
  NO_ADDRESS: 0x0039,
  CROSSES_PAGE: 0x003c,
  FORMAT: 0x0022,
} as const;

/** The shadow that KVM builds: a control block to run the nested guest with, or nothing to shadow, or no entry. */
export type NestedShadow =
  | { readonly kind: 'shadow'; readonly crycb: Uint8Array; readonly format: CrycbFormat }
  | { readonly kind: 'none' }
  | { readonly kind: 'validity'; readonly code: number };

const PAGE = 4096;

/** How many bytes of a format's block must lie in one page. */
const NESTED_BLOCK_SIZE: Readonly<Record<CrycbFormat, number>> = { 0: 32, 1: 128, 2: 256 };

/**
 * Builds the shadow crypto control block of a nested guest: what it asked for, limited in software by what the outer
 * guest has (vsie.c: shadow_crycb, setup_apcb). Key wrapping is not modelled.
 */
export function shadowCrycb(outer: OuterGuest, nested: NestedRequest): NestedShadow {
  if (!outer.apie || !nested.apie) return { kind: 'none' };
  const address = nested.designation & 0x7fff_fff8;
  if (address === 0) return { kind: 'validity', code: CRYCB_VALIDITY.NO_ADDRESS };
  const format = ([0, 1, 2] as const).find(
    (candidate) => CRYCB_FORMAT_BITS[candidate] === (nested.designation & 3),
  );
  if (format === undefined) return { kind: 'validity', code: CRYCB_VALIDITY.FORMAT };
  const size = NESTED_BLOCK_SIZE[format];
  // The kernel compares the pages of the first byte and of the one behind the block.
  if (Math.floor(address / PAGE) !== Math.floor((address + size) / PAGE))
    return { kind: 'validity', code: CRYCB_VALIDITY.CROSSES_PAGE };
  const tooWide = format === 2 ? outer.format !== 2 : format === 1 && outer.format === 0;
  if (tooWide) return { kind: 'validity', code: CRYCB_VALIDITY.FORMAT };
  const block = nested.read(address, size);
  if (block === undefined) return { kind: 'validity', code: CRYCB_VALIDITY.UNREADABLE };

  const wanted = readMasks(block, format);
  const given = readMasks(outer.crycb, outer.format);
  const crycb = new Uint8Array(CRYCB_SIZE);
  // A short request under a long block is widened: the shadow then has the outer guest's format.
  const shadowFormat = outer.format === 2 ? 2 : format;
  writeMasks(crycb, shadowFormat, {
    apm: wanted.apm.and(given.apm),
    aqm: wanted.aqm.and(given.aqm),
    adm: wanted.adm.and(given.adm),
  });
  return { kind: 'shadow', crycb, format: shadowFormat };
}

/** The masks of a shadow; nothing where there is none. */
export function shadowMasks(shadow: NestedShadow): ApMatrix {
  return shadow.kind === 'shadow' ? readMasks(shadow.crycb, shadow.format) : EMPTY_MATRIX;
}
