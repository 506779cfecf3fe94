import {
  capabilityName,
  extendedCapabilityName,
  PCI_CAP_ID_AF,
  PCI_CAP_ID_AGP,
  PCI_CAP_ID_EXP,
  PCI_CAP_ID_MSI,
  PCI_CAP_ID_MSIX,
  PCI_CAP_ID_PCIX,
  PCI_CAP_ID_PM,
  PCI_CAP_ID_SATA,
  PCI_CAP_ID_VNDR,
  PCI_CAP_ID_VPD,
  PCI_CAPABILITY_LIST,
  PCI_CB_CAPABILITY_LIST,
  PCI_CFG_SPACE_SIZE,
  PCI_EXT_CAP_ID_ACS,
  PCI_EXT_CAP_ID_ARI,
  PCI_EXT_CAP_ID_ATS,
  PCI_EXT_CAP_ID_DSN,
  PCI_EXT_CAP_ID_DVSEC,
  PCI_EXT_CAP_ID_ERR,
  PCI_EXT_CAP_ID_LTR,
  PCI_EXT_CAP_ID_PASID,
  PCI_EXT_CAP_ID_PRI,
  PCI_EXT_CAP_ID_PWR,
  PCI_EXT_CAP_ID_SRIOV,
  PCI_EXT_CAP_ID_VC,
  PCI_EXT_CAP_ID_VNDR,
  PCI_HEADER_TYPE,
  PCI_HEADER_TYPE_CARDBUS,
  PCI_HEADER_TYPE_MASK,
  PCI_STATUS,
  PCI_STATUS_CAP_LIST,
} from '../regs/index.js';

/** A capability as hardware shows it. */
export interface Capability {
  readonly id: number;
  readonly at: number;
  /** Where the list goes on; 0 at its end. */
  readonly next: number;
  readonly name: string;
}

/** An extended capability as hardware shows it. */
export interface ExtendedCapability extends Capability {
  readonly version: number;
}

/** Something that a list of capabilities must not have. */
export interface CapabilityProblem {
  /** The offset of the pointer's target. */
  readonly at: number;
  readonly problem: string;
}

/** What a list of capabilities holds, and what is wrong with it. */
export interface CapabilityWalk<C extends Capability> {
  /** In the order of the list. */
  readonly capabilities: readonly C[];
  readonly problems: readonly CapabilityProblem[];
}

/** The fewest bytes that a capability can have. */
const SHORTEST: Readonly<Record<number, number>> = {
  [PCI_CAP_ID_PM]: 8,
  [PCI_CAP_ID_AGP]: 12,
  [PCI_CAP_ID_VPD]: 8,
  [PCI_CAP_ID_MSI]: 10,
  [PCI_CAP_ID_PCIX]: 8,
  [PCI_CAP_ID_VNDR]: 3,
  [PCI_CAP_ID_EXP]: 12,
  [PCI_CAP_ID_MSIX]: 12,
  [PCI_CAP_ID_SATA]: 8,
  [PCI_CAP_ID_AF]: 6,
};

const SHORTEST_EXTENDED: Readonly<Record<number, number>> = {
  [PCI_EXT_CAP_ID_ERR]: 0x2c,
  [PCI_EXT_CAP_ID_VC]: 0x10,
  [PCI_EXT_CAP_ID_DSN]: 12,
  [PCI_EXT_CAP_ID_PWR]: 16,
  [PCI_EXT_CAP_ID_VNDR]: 8,
  [PCI_EXT_CAP_ID_ACS]: 8,
  [PCI_EXT_CAP_ID_ARI]: 8,
  [PCI_EXT_CAP_ID_ATS]: 8,
  [PCI_EXT_CAP_ID_SRIOV]: 0x40,
  [PCI_EXT_CAP_ID_PRI]: 16,
  [PCI_EXT_CAP_ID_LTR]: 8,
  [PCI_EXT_CAP_ID_PASID]: 8,
  [PCI_EXT_CAP_ID_DVSEC]: 10,
};

/** How the capabilities of a list look. */
interface ListShape<C extends Capability> {
  /** Where capabilities may begin. */
  readonly first: number;
  /** Bytes of id and pointer. */
  readonly header: number;
  /** The fewest bytes that a capability can have, by id. */
  readonly shortest: Readonly<Record<number, number>>;
  /** Reads one; undefined where nothing answers. */
  read(config: Uint8Array, at: number): C | undefined;
}

const STANDARD: ListShape<Capability> = {
  first: 0x40,
  header: 2,
  shortest: SHORTEST,
  read(config, at) {
    const id = byte(config, at);
    return id === 0xff
      ? undefined
      : { id, at, next: byte(config, at + 1), name: capabilityName(id) };
  },
};

const EXTENDED: ListShape<ExtendedCapability> = {
  first: PCI_CFG_SPACE_SIZE,
  header: 4,
  shortest: SHORTEST_EXTENDED,
  read(config, at) {
    const header = dword(config, at);
    if (header === 0xffffffff) return undefined;
    const id = header & 0xffff;
    const version = (header >>> 16) & 0xf;
    return { id, at, next: header >>> 20, version, name: extendedCapabilityName(id) };
  },
};

/**
 * Walks the standard capabilities. Never throws: a list that loops, leaves the space, points into the header or is cut
 * off ends there, and what was wrong is reported beside what was found.
 *
 * Pointers are masked to dwords as software has to (PCI 3.0 6.7).
 */
export function walkCapabilities(config: Uint8Array): CapabilityWalk<Capability> {
  if ((byte(config, PCI_STATUS) & PCI_STATUS_CAP_LIST) === 0)
    return { capabilities: [], problems: [] };
  const type = byte(config, PCI_HEADER_TYPE) & PCI_HEADER_TYPE_MASK;
  const list = type === PCI_HEADER_TYPE_CARDBUS ? PCI_CB_CAPABILITY_LIST : PCI_CAPABILITY_LIST;
  return walk(config, byte(config, list), STANDARD);
}

/** Walks the extended capabilities, from 0x100 on, under the same promises; a space of 256 bytes has none. */
export function walkExtendedCapabilities(config: Uint8Array): CapabilityWalk<ExtendedCapability> {
  const header = dword(config, PCI_CFG_SPACE_SIZE);
  // A space without extended capabilities shows nothing, or nobody, at their start.
  if (config.length <= PCI_CFG_SPACE_SIZE || header === 0 || header === 0xffffffff)
    return { capabilities: [], problems: [] };
  return walk(config, PCI_CFG_SPACE_SIZE, EXTENDED);
}

function walk<C extends Capability>(
  config: Uint8Array,
  start: number,
  shape: ListShape<C>,
): CapabilityWalk<C> {
  const capabilities: C[] = [];
  const problems: CapabilityProblem[] = [];
  const visited = new Set<number>();
  for (let pointer = start; pointer !== 0; ) {
    const at = pointer & ~3;
    if (at !== pointer) problems.push({ at: pointer, problem: 'pointer is not a multiple of 4' });
    const problem = badTarget(at, config.length, shape, visited);
    const capability = problem === undefined ? shape.read(config, at) : undefined;
    if (capability === undefined) {
      problems.push({ at, problem: problem ?? 'nothing answers here' });
      break;
    }
    visited.add(at);
    capabilities.push(capability);
    pointer = capability.next;
  }
  noteOverlaps(capabilities, shape, problems);
  return { capabilities, problems };
}

function badTarget(
  at: number,
  end: number,
  { first, header }: ListShape<Capability>,
  visited: ReadonlySet<number>,
): string | undefined {
  if (at < first) return 'pointer leads into the header';
  if (visited.has(at)) return 'list loops';
  return at + header > end ? 'configuration space is cut off here' : undefined;
}

/** Reports capabilities that begin before the one in front of them can have ended. */
function noteOverlaps(
  capabilities: readonly Capability[],
  { shortest, header }: ListShape<Capability>,
  problems: CapabilityProblem[],
): void {
  const byPlace = [...capabilities].sort((a, b) => a.at - b.at);
  for (const [index, { id, at }] of byPlace.entries()) {
    const following = byPlace[index + 1];
    if (following !== undefined && at + (shortest[id] ?? header) > following.at)
      problems.push({
        at: following.at,
        problem: `overlaps the capability at 0x${at.toString(16)}`,
      });
  }
}

function byte(config: Uint8Array, at: number): number {
  return config[at] ?? 0;
}

function dword(config: Uint8Array, at: number): number {
  return (
    (byte(config, at) |
      (byte(config, at + 1) << 8) |
      (byte(config, at + 2) << 16) |
      (byte(config, at + 3) << 24)) >>>
    0
  );
}
