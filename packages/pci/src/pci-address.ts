import { VfioError } from '@vfiokit/uapi';

const PATTERN = /^(?:([0-9a-f]{4,8}):)?([0-9a-f]{1,2}):([0-9a-f]{1,2})\.([0-7])$/i;

/** Where a function is: domain (up to 32 bits), bus, device and function number. */
export class PciAddress {
  readonly domain: number;
  readonly bus: number;
  readonly device: number;
  readonly function: number;

  constructor(domain: number, bus: number, device: number, functionNumber: number) {
    this.domain = domain;
    this.bus = bus;
    this.device = device;
    this.function = functionNumber;
  }

  /**
   * Reads `0000:00:02.0`, a domain of up to eight digits, or the short form `00:02.0`, whose domain is 0.
   *
   * Throws VfioError EINVAL for anything else.
   */
  static parse(text: string): PciAddress {
    const address = PciAddress.tryParse(text);
    if (address === undefined)
      throw new VfioError('EINVAL', `${text}: not a PCI address; write it like 0000:00:02.0`);
    return address;
  }

  /** As {@link parse}; undefined for anything else. */
  static tryParse(text: string): PciAddress | undefined {
    const match = PATTERN.exec(text.trim());
    if (match === null) return undefined;
    const [domain = 0, bus = 0, device = 0, number = 0] = match
      .slice(1)
      .map((field) => Number.parseInt(field ?? '0', 16));
    return device > 0x1f ? undefined : new PciAddress(domain, bus, device, number);
  }

  /** An address from its bus and a routing id's lower byte. */
  static fromRoutingId(domain: number, routingId: number): PciAddress {
    return new PciAddress(
      domain,
      (routingId >>> 8) & 0xff,
      (routingId >>> 3) & 0x1f,
      routingId & 0x7,
    );
  }

  /** Device and function in one byte, as the kernel packs them. */
  get devfn(): number {
    return (this.device << 3) | this.function;
  }

  /** Bus, device and function as they travel in a transaction (PCIe 6.0 2.2.4.2). */
  get routingId(): number {
    return (this.bus << 8) | this.devfn;
  }

  /** The kernel's form, such as `0000:00:02.0`. */
  toString(): string {
    const domain = hex(this.domain, 4);
    return `${domain}:${hex(this.bus, 2)}:${hex(this.device, 2)}.${this.function}`;
  }

  equals(other: PciAddress): boolean {
    return this.domain === other.domain && this.routingId === other.routingId;
  }

  /** The order in which machines are listed. */
  compare(other: PciAddress): number {
    return this.domain - other.domain || this.routingId - other.routingId;
  }
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
