import type { ConfigAccess, PciPlatform } from '../src/index.js';

/** A capability of a made-up function: where it is, and its bytes after id and next pointer. */
export interface CapabilityLiteral {
  readonly at: number;
  readonly id: number;
  readonly body?: readonly number[];
  /** Extended capabilities only. */
  readonly version?: number;
}

export interface ConfigLiteral {
  readonly size?: number;
  /** Bytes from an offset on, over everything else. */
  readonly bytes?: readonly (readonly [at: number, bytes: readonly number[]])[];
  readonly capabilities?: readonly CapabilityLiteral[];
  readonly extended?: readonly CapabilityLiteral[];
}

/** Configuration space of a made-up function 1234:5678 with pin A on line 11 and a chain of capabilities. */
export function configOf(literal: ConfigLiteral = {}): Uint8Array {
  const { capabilities = [], extended = [] } = literal;
  const config = new Uint8Array(literal.size ?? (extended.length > 0 ? 4096 : 256));
  config.set([0x34, 0x12, 0x78, 0x56], 0x00);
  config.set([0x02, 0x00, 0x00, 0x02], 0x08);
  config.set([0xf4, 0x1a, 0x00, 0x11], 0x2c);
  config.set([11, 1], 0x3c);
  for (const [index, { at, id, body = [] }] of capabilities.entries()) {
    if (index === 0) {
      config[0x06] = 0x10;
      config[0x34] = at;
    }
    config.set([id, capabilities[index + 1]?.at ?? 0, ...body], at);
  }
  for (const [index, { at, id, body = [], version = 1 }] of extended.entries()) {
    const header = id | (version << 16) | ((extended[index + 1]?.at ?? 0) << 20);
    config.set([header, header >> 8, header >> 16, header >> 24, ...body], at);
  }
  for (const [at, bytes] of literal.bytes ?? []) config.set(bytes, at);
  return config;
}

/** Little-endian bytes of 32-bit words. */
export function words(...values: readonly number[]): number[] {
  return values.flatMap((value) =>
    [value, value >> 8, value >> 16, value >> 24].map((b) => b & 0xff),
  );
}

export const PM = { at: 0x40, id: 0x01, body: [0x03, 0xf8, 0x00, 0x00, 0, 0] } as const;
/** 64-bit, 4 vectors, with mask bits. */
export const MSI = { at: 0x50, id: 0x05, body: [0x84, 0x01] } as const;
/** 4 vectors; table in BAR 0 at 0x1000, pending bits at 0x2000. */
export const MSIX = { at: 0x70, id: 0x11, body: [0x03, 0x00, ...words(0x1000, 0x2000)] } as const;
/** Version 2 endpoint that can do FLR. */
export const EXPRESS = { at: 0x90, id: 0x10, body: [0x02, 0x00, ...words(0x10008000)] } as const;
/** With FLR and transactions pending. */
export const AF = { at: 0xd0, id: 0x13, body: [0x06, 0x03, 0, 0] } as const;
export const VPD = { at: 0xe0, id: 0x03 } as const;

/** Everything that a plain network card has. */
export const FULL = configOf({ capabilities: [PM, MSI, MSIX, EXPRESS, AF, VPD] });

/** Remembers configuration accesses as a bus analyser would show them: `R16@4`, `W16@4=0007`. */
export class Analyser {
  readonly accesses: string[] = [];

  /** A platform whose devices are traced, over another. */
  platform(base: PciPlatform = {}): PciPlatform {
    return { ...base, configAccess: (config) => this.#trace(config) };
  }

  /** What was seen since the last call. */
  take(): string {
    return this.accesses.splice(0).join(' ');
  }

  #trace(config: ConfigAccess): ConfigAccess {
    return {
      size: config.size,
      read: (offset, size) => {
        this.accesses.push(`R${8 * size}@${hex(offset)}`);
        return config.read(offset, size);
      },
      write: (offset, size, value) => {
        const digits = (value >>> 0).toString(16).padStart(2 * size, '0');
        this.accesses.push(`W${8 * size}@${hex(offset)}=${digits}`);
        return config.write(offset, size, value);
      },
    };
  }
}

function hex(offset: number): string {
  return offset.toString(16);
}
