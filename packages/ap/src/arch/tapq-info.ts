/** What an adapter is: how it computes. */
export type ApMode = 'cca' | 'accel' | 'ep11';

/** The functions of an adapter: the facility half of what PQAP(TAPQ) tells in general register 2. */
export interface ApFunctions {
  readonly apsc: boolean;
  /** 4096-bit keys in modular-exponentiation form. */
  readonly ap4km: boolean;
  /** 4096-bit keys in Chinese-remainder form. */
  readonly ap4kc: boolean;
  readonly mode: ApMode;
  readonly apxa: boolean;
  /** Command filtering is available. */
  readonly commandFilter: boolean;
  /** Bits 8 to 15. */
  readonly class: number;
}

/** What PQAP(TAPQ) tells of a queue in general register 2. */
export interface TapqInfo {
  readonly functions: ApFunctions;
  /** The state of the binding to a Secure Execution guest: 0 usable, 1 usable without secure keys, 2 available for binding, 3 unusable. */
  readonly bindState: number;
  /** The adapter's type: 10 (CEX4) to 14 (CEX8), or what the hardware calls newer ones. */
  readonly type: number;
  readonly domains: number;
  /** The longest message, in units of 4 KiB; 0 stands for 12 KiB. */
  readonly maxMessagePages: number;
  /** How many messages fit, minus one. */
  readonly depthMinusOne: number;
}

/** Which bits of the register describe the card rather than the one queue (AP_TAPQ: TAPQ_CARD_HWINFO_MASK). */
export const CARD_INFO_MASK = 0xffff_0000_ffff_0f0fn;

const MODE_BITS: Readonly<Record<ApMode, bigint>> = {
  cca: 1n << 60n,
  accel: 1n << 59n,
  ep11: 1n << 58n,
};

/** The 64-bit register, bit 0 the most significant one. */
export function encodeTapqInfo(info: TapqInfo): bigint {
  const { functions: f } = info;
  return (
    flag(f.apsc, 0) |
    flag(f.ap4km, 1) |
    flag(f.ap4kc, 2) |
    MODE_BITS[f.mode] |
    flag(f.apxa, 6) |
    flag(f.commandFilter, 7) |
    (BigInt(f.class) << 48n) |
    (BigInt(info.bindState) << 46n) |
    (BigInt(info.type) << 24n) |
    (BigInt(info.domains) << 16n) |
    (BigInt(info.maxMessagePages) << 8n) |
    BigInt(info.depthMinusOne)
  );
}

/** Reads the register. Of several mode bits the coprocessor's counts first, as for the kernel's card type. */
export function decodeTapqInfo(register: bigint): TapqInfo {
  const bit = (n: number): boolean => ((register >> BigInt(63 - n)) & 1n) !== 0n;
  const field = (first: number, last: number): number =>
    Number((register >> BigInt(63 - last)) & ((1n << BigInt(last - first + 1)) - 1n));
  return {
    functions: {
      apsc: bit(0),
      ap4km: bit(1),
      ap4kc: bit(2),
      mode: bit(4) ? 'accel' : bit(5) ? 'ep11' : 'cca',
      apxa: bit(6),
      commandFilter: bit(7),
      class: field(8, 15),
    },
    bindState: field(16, 17),
    type: field(32, 39),
    domains: field(40, 47),
    maxMessagePages: field(52, 55),
    depthMinusOne: field(60, 63),
  };
}

/** The functions as the card's `ap_functions` shows them: the register's upper half in hex. */
export function formatFunctions(info: TapqInfo): string {
  return `0x${Number(encodeTapqInfo(info) >> 32n)
    .toString(16)
    .padStart(8, '0')
    .toUpperCase()}`;
}

function flag(set: boolean, bit: number): bigint {
  return set ? 1n << BigInt(63 - bit) : 0n;
}
