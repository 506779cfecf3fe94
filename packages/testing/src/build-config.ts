/** An extended capability: its id, version, and what follows the 4 bytes of its header. */
export interface ExtendedCapabilityLiteral {
  readonly id: number;
  readonly version?: number;
  readonly body: Uint8Array;
}

/** A function's configuration space as a literal. */
export interface ConfigLiteral {
  readonly vendor: number;
  readonly device: number;
  /** 24 bits. */
  readonly class?: number;
  readonly revision?: number;
  readonly subsystemVendor?: number;
  readonly subsystemDevice?: number;
  /** MSI-X vectors, with the table in this BAR. */
  readonly msix?: { readonly vectors: number; readonly bar: number };
  /** A physical function with this many VFs, of which some exist already. */
  readonly sriov?: {
    readonly totalVfs: number;
    readonly numVfs: number;
    readonly vfDevice: number;
  };
  /** In the order in which they stand there. */
  readonly extended?: readonly ExtendedCapabilityLiteral[];
}

const EXPRESS = 0x40;
const MSIX = 0x80;

/**
 * The configuration space of a PCI Express endpoint with function level reset: what most drivers' tests need of a
 * function before they look at its own registers.
 */
export function buildConfig(literal: ConfigLiteral): Uint8Array {
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer);
  view.setUint16(0x00, literal.vendor, true);
  view.setUint16(0x02, literal.device, true);
  view.setUint16(0x06, 0x0010, true);
  view.setUint32(0x08, (literal.class ?? 0xff0000) * 0x100 + (literal.revision ?? 0), true);
  view.setUint16(0x2c, literal.subsystemVendor ?? literal.vendor, true);
  view.setUint16(0x2e, literal.subsystemDevice ?? 0, true);
  bytes[0x34] = EXPRESS;
  view.setUint32(EXPRESS, 0x0002_0010, true);
  view.setUint32(EXPRESS + 4, 0x1000_8000, true);
  if (literal.msix !== undefined) {
    bytes[EXPRESS + 1] = MSIX;
    view.setUint32(MSIX, 0x11 + (literal.msix.vectors - 1) * 0x10000, true);
    view.setUint32(MSIX + 4, literal.msix.bar, true);
    view.setUint32(MSIX + 8, literal.msix.bar + 0x800, true);
  }
  const { extended = [], sriov } = literal;
  layExtended(bytes, sriov === undefined ? extended : [...extended, sriovCapability(sriov)]);
  return bytes;
}

/** Single Root I/O Virtualization, VFs one routing id after the other behind the PF's (PCIe 6.0 9.3.3). */
function sriovCapability({
  totalVfs,
  numVfs,
  vfDevice,
}: NonNullable<ConfigLiteral['sriov']>): ExtendedCapabilityLiteral {
  const body = new Uint8Array(0x3c);
  const view = new DataView(body.buffer);
  // VF Enable and VF Memory Space Enable
  view.setUint16(0x04, numVfs > 0 ? 0x0009 : 0, true);
  view.setUint16(0x08, totalVfs, true);
  view.setUint16(0x0a, totalVfs, true);
  view.setUint16(0x0c, numVfs, true);
  view.setUint16(0x10, 1, true);
  view.setUint16(0x12, 1, true);
  view.setUint16(0x16, vfDevice, true);
  view.setUint32(0x18, 1, true);
  view.setUint32(0x1c, 1, true);
  return { id: 0x10, body };
}

function layExtended(bytes: Uint8Array, extended: readonly ExtendedCapabilityLiteral[]): void {
  const view = new DataView(bytes.buffer);
  let at = 0x100;
  for (const [index, { id, version = 1, body }] of extended.entries()) {
    const end = at + 4 + Math.ceil(body.length / 4) * 4;
    const next = index < extended.length - 1 ? end : 0;
    view.setUint32(at, id + version * 2 ** 16 + next * 2 ** 20, true);
    bytes.set(body, at + 4);
    at = end;
  }
}
