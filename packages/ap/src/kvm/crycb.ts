import { ApMask } from '../arch/mask.js';
import type { ApMatrix } from '../arch/matrix.js';

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
