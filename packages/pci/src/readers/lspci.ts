import { VfioError } from '@vfiokit/uapi';
import { PciAddress } from '../pci-address.js';
import { PCI_BASE_ADDRESS_0, PCI_ROM_ADDRESS_MASK } from '../regs/index.js';
import { type BarDescription, barCount, readBars, romRegister } from '../silicon/base-address.js';
import { type CapturedConfig, readSysfsConfig } from './sysfs-config.js';

/** A function out of an `lspci` text. */
export interface LspciFunction extends CapturedConfig {
  readonly address: PciAddress;
  /** The rest of its first line, such as `Ethernet controller: …` or, with `-n`, `0200: 8086:10d3`. */
  readonly title: string;
}

/** A range that `lspci -v` names: its address and how long it is. */
interface NamedRange {
  readonly kind: 'memory' | 'io' | 'rom';
  readonly address: bigint;
  readonly size: number;
}

const HEADING = /^((?:[0-9a-f]{4,8}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])\s+(.*)$/i;
const DUMP = /^([0-9a-f]{2,3}):((?: [0-9a-f]{2})+)\s*$/i;
const LOOKS_LIKE_DUMP = /^[0-9a-f]{2,3}:(?: |$)/i;
const RANGE = /(Memory|I\/O ports|Expansion ROM) at ([0-9a-f]+).*\[size=(\d+)([KMGT]?)\]/i;
const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  K: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
};

/**
 * Reads what `lspci` printed with `-x`, `-xxx` or `-xxxx`: any number of functions, with or without domains, with
 * names, `-n` or `-nn`, and with the lines of `-v`, out of which come the sizes of BARs.
 *
 * Throws VfioError EINVAL, with the number of the line, for a dump that is malformed or belongs to nobody, for a
 * function that comes twice, and for a text without a dump.
 */
export function readLspci(text: string, subject: string): LspciFunction[] {
  const found: Section[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const at = `${subject}: line ${index + 1}`;
    const heading = HEADING.exec(line);
    const section = found.at(-1);
    if (heading !== null) {
      const address = PciAddress.parse(heading[1]!);
      if (found.some((other) => other.address.equals(address)))
        throw new VfioError('EINVAL', `${at}: ${address} is there already`);
      found.push({ address, title: heading[2]!, bytes: [], ranges: [] });
    } else if (LOOKS_LIKE_DUMP.test(line)) {
      if (section === undefined)
        throw new VfioError('EINVAL', `${at}: a dump without a function above it`);
      section.bytes.push(...readDump(line, section.bytes.length, at));
    } else if (section !== undefined) {
      const range = readRange(line);
      if (range !== undefined) section.ranges.push(range);
    }
  }
  const dumped = found.filter(({ bytes }) => bytes.length > 0);
  if (dumped.length === 0)
    throw new VfioError('EINVAL', `${subject}: no dump in it; print one with lspci -xxx`);
  return dumped.map(({ address, title, bytes, ranges }) => {
    const captured = readSysfsConfig(Uint8Array.from(bytes), `${subject}: ${address}`);
    const { config } = captured.description;
    const sizes = sizesOf(config, ranges);
    return { ...captured, address, title, description: { ...captured.description, ...sizes } };
  });
}

/** The lines of one function. */
interface Section {
  readonly address: PciAddress;
  readonly title: string;
  readonly bytes: number[];
  readonly ranges: NamedRange[];
}

function readDump(line: string, expected: number, at: string): number[] {
  const match = DUMP.exec(line);
  if (match === null) throw new VfioError('EINVAL', `${at}: "${line}" is not a line of a dump`);
  const offset = Number.parseInt(match[1]!, 16);
  if (offset !== expected)
    throw new VfioError(
      'EINVAL',
      `${at}: the dump goes on at 0x${offset.toString(16)}, but 0x${expected.toString(16)} is missing`,
    );
  return match[2]!
    .trim()
    .split(' ')
    .map((byte) => Number.parseInt(byte, 16));
}

function readRange(line: string): NamedRange | undefined {
  const match = RANGE.exec(line);
  if (match === null) return undefined;
  const [, what = '', address = '', count = '', unit = ''] = match;
  const kind = what.startsWith('M') ? 'memory' : what.startsWith('I') ? 'io' : 'rom';
  return { kind, address: BigInt(`0x${address}`), size: Number(count) * UNITS[unit]! };
}

/** Finds the register of each range by its address: without `-vv` the lines do not say which is whose. */
function sizesOf(
  config: Uint8Array,
  ranges: readonly NamedRange[],
): { bars?: (BarDescription | undefined)[]; rom?: number } {
  if (ranges.length === 0) return {};
  const view = new DataView(config.buffer, config.byteOffset, config.byteLength);
  const bars = readBars(config, PCI_BASE_ADDRESS_0, barCount(config)).map((bar, index) => {
    if (bar === undefined) return undefined;
    const low = BigInt(view.getUint32(PCI_BASE_ADDRESS_0 + 4 * index, true));
    const high =
      bar.is64Bit === true ? BigInt(view.getUint32(PCI_BASE_ADDRESS_0 + 4 * index + 4, true)) : 0n;
    const address = (high << 32n) | (low & (bar.kind === 'io' ? ~3n : ~15n));
    const range = ranges.find((other) => other.kind === bar.kind && other.address === address);
    return range === undefined ? bar : { ...bar, size: range.size };
  });
  const register = romRegister(config);
  const romAddress = register === 0 ? 0 : view.getUint32(register, true) & PCI_ROM_ADDRESS_MASK;
  const rom = ranges.find(
    ({ kind, address }) => kind === 'rom' && address === BigInt(romAddress >>> 0),
  );
  return rom === undefined ? { bars } : { bars, rom: rom.size };
}
