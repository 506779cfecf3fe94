import { ApMask } from './mask.js';
import type { ApMatrix } from './matrix.js';

/** The flags of the configuration block that the model knows. */
export interface QciFlags {
  /** Bit 0: AP special commands are interpreted. */
  readonly apsc: boolean;
  /** Bit 1: extended addressing, 256 adapters and 256 domains (also called N). */
  readonly apxa: boolean;
  /** Bit 2: QACT is installed. */
  readonly qact: boolean;
  /** Bit 3: response code 8A is given. */
  readonly rc8a: boolean;
  /** Bit 8: secure binding for Secure Execution guests. */
  readonly apsb: boolean;
}

/**
 * The AP configuration of one level, as PQAP(QCI) answers it: an LPAR's to its kernel, a guest's to the guest.
 */
export interface QciInfo extends ApMatrix {
  readonly flags: QciFlags;
  /** The highest adapter number; says something only with APXA. */
  readonly na: number;
  /** The highest domain number; says something only with APXA. */
  readonly nd: number;
}

/** Bytes of the block; it has to lie on an 8-byte boundary. */
export const QCI_SIZE = 128;

const FLAG_BITS = {
  apsc: 0x8000_0000,
  apxa: 0x4000_0000,
  qact: 0x2000_0000,
  rc8a: 0x1000_0000,
  apsb: 0x0080_0000,
} as const satisfies Record<keyof QciFlags, number>;

const NA = 4;
const ND = 5;
const MASKS = { apm: 16, aqm: 48, adm: 80 } as const;

/** What a kernel knows where QCI was never read: nothing is configured. */
export const EMPTY_QCI: QciInfo = {
  flags: { apsc: false, apxa: false, qact: false, rc8a: false, apsb: false },
  na: 0,
  nd: 0,
  apm: ApMask.NONE,
  aqm: ApMask.NONE,
  adm: ApMask.NONE,
};

/** Writes the 128-byte block. */
export function encodeQci(info: QciInfo): Uint8Array {
  const bytes = new Uint8Array(QCI_SIZE);
  let flags = 0;
  for (const [name, bit] of Object.entries(FLAG_BITS))
    if (info.flags[name as keyof QciFlags]) flags |= bit;
  new DataView(bytes.buffer).setUint32(0, flags >>> 0);
  bytes[NA] = info.na;
  bytes[ND] = info.nd;
  for (const [name, offset] of Object.entries(MASKS))
    bytes.set(info[name as keyof ApMatrix].toBytes(), offset);
  return bytes;
}

/** Reads the 128-byte block; reserved bytes are not looked at. */
export function decodeQci(bytes: Uint8Array): QciInfo {
  const word = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  const flag = (name: keyof QciFlags): boolean => (word & FLAG_BITS[name]) !== 0;
  const mask = (offset: number): ApMask => ApMask.fromBytes(bytes.subarray(offset, offset + 32));
  return {
    flags: {
      apsc: flag('apsc'),
      apxa: flag('apxa'),
      qact: flag('qact'),
      rc8a: flag('rc8a'),
      apsb: flag('apsb'),
    },
    na: bytes[NA]!,
    nd: bytes[ND]!,
    apm: mask(MASKS.apm),
    aqm: mask(MASKS.aqm),
    adm: mask(MASKS.adm),
  };
}

/** Whether two configurations are the same in every byte. */
export function sameQci(a: QciInfo, b: QciInfo): boolean {
  return (
    a.na === b.na &&
    a.nd === b.nd &&
    Object.keys(FLAG_BITS).every((name) => {
      const flag = name as keyof QciFlags;
      return a.flags[flag] === b.flags[flag];
    }) &&
    a.apm.equals(b.apm) &&
    a.aqm.equals(b.aqm) &&
    a.adm.equals(b.adm)
  );
}

/** Whether the kernel can use the answer at all: one with no flag set counts as "QCI not usable" (ap_bus.c: ap_qci). */
export function qciUsable(info: QciInfo | undefined): info is QciInfo {
  return info !== undefined && Object.values(info.flags).some(Boolean);
}

/** The highest adapter and domain ids that an instruction can name in a configuration; 63 and 15 without APXA. */
export function highestIds(info: QciInfo | undefined): {
  readonly apid: number;
  readonly apqi: number;
} {
  return info?.flags.apxa ? { apid: info.na, apqi: info.nd } : { apid: 63, apqi: 15 };
}
