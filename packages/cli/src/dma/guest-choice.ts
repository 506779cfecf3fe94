import {
  type AddressRange,
  ALL_USAGE_MODELS,
  type ContainerType,
  type Iommu,
  type UsageModel,
} from '@vfiokit/iommu';
import { UsageError } from '../command.js';

/** What a monitor gets from its host to map memory in. */
export type SpaceKind = ContainerType | 'iommufd';

/** How a guest would use the devices that it is given. */
export interface GuestChoice {
  readonly usage: UsageModel;
  readonly space: SpaceKind;
  /** Bytes of memory that it has. */
  readonly ram: number;
  /** Where the guest has it. */
  readonly memory: readonly AddressRange[];
  /** Bytes of a page of the host. */
  readonly hostPage: number;
}

/** The options of a guest. */
export const GUEST_ARGS = {
  usage: {
    type: 'string',
    description: `Usage model: ${ALL_USAGE_MODELS.map(({ name }) => name).join(', ')}`,
    valueHint: 'MODEL',
  },
  space: {
    type: 'string',
    description: 'Mechanism: type1-v1, type1-v2, spapr-tce-v1, spapr-tce-v2, iommufd',
    valueHint: 'KIND',
  },
  ram: { type: 'string', description: 'Memory of the guest; 4G without it', valueHint: 'SIZE' },
} as const;

/** What stands on a command line for a guest. */
export interface GuestWords {
  readonly usage?: string | undefined;
  readonly space?: string | undefined;
  readonly ram?: string | undefined;
}

const SPACES: Readonly<Record<string, SpaceKind>> = {
  'type1-v1': 'type1 v1',
  'type1-v2': 'type1 v2',
  'spapr-tce-v1': 'spapr-tce v1',
  'spapr-tce-v2': 'spapr-tce v2',
  iommufd: 'iommufd',
  noiommu: 'noiommu',
};
const UNITS = { M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 } as const;
const MOST_RAM = 2 ** 46;

/** What a guest runs on, as far as it is known. */
export interface GuestHost {
  readonly architecture: string | undefined;
  /** Bytes of a page. */
  readonly hostPage?: number;
  readonly iommu?: Iommu | undefined;
}

interface Custom {
  readonly usage: string;
  readonly space: string;
  readonly hostPage: number;
  /** Where a guest has its memory, as QEMU lays it out. */
  readonly layout: (ram: number) => readonly AddressRange[];
}

const from = (start: number) => (ram: number) => [{ start, end: start + ram }];
/** A PC has no more than 2 GiB below 4 GiB: what is between is for devices. */
const q35 = (ram: number) =>
  ram <= 2 * UNITS.G
    ? from(0)(ram)
    : [...from(0)(2 * UNITS.G), ...from(4 * UNITS.G)(ram - 2 * UNITS.G)];

const PC: Custom = { usage: 'map-all', space: 'type1-v2', hostPage: 4096, layout: q35 };
const ARM: Custom = { ...PC, layout: from(UNITS.G) };
const S390: Custom = { ...PC, usage: 'shadow', layout: from(0) };
const POWER: Custom = {
  usage: 'papr-bridge',
  space: 'spapr-tce-v2',
  hostPage: 0x10000,
  layout: from(0),
};

/** What guests are used to. The windows that v2 would make, the hypervisor of an LPAR does not give back. */
function customOf({ architecture = '', iommu }: GuestHost): Custom {
  if (architecture.startsWith('ppc64'))
    return iommu?.tce?.recreatesDefault === false ? { ...POWER, space: 'spapr-tce-v1' } : POWER;
  if (architecture.startsWith('s390')) return S390;
  return architecture === 'aarch64' ? ARM : PC;
}

/**
 * How a guest uses devices: as somebody says, and otherwise as guests of the architecture do.
 *
 * @throws UsageError for a model, a kind of space or a size that there is not.
 */
export function guestChoice(words: GuestWords, host: GuestHost): GuestChoice {
  const custom = customOf(host);
  const { usage = custom.usage, space = custom.space, ram = '4G' } = words;
  const model = ALL_USAGE_MODELS.find(({ name }) => name === usage);
  if (model === undefined)
    throw new UsageError(
      `--usage ${usage}: no such usage model; there is ${ALL_USAGE_MODELS.map(({ name }) => name).join(', ')}`,
    );
  const kind = Object.hasOwn(SPACES, space) ? SPACES[space] : undefined;
  if (kind === undefined)
    throw new UsageError(
      `--space ${space}: no such kind; there is ${Object.keys(SPACES).join(', ')}`,
    );
  const size = ramSize(ram);
  return {
    usage: model,
    space: kind,
    ram: size,
    memory: custom.layout(size),
    hostPage: host.hostPage ?? custom.hostPage,
  };
}

function ramSize(text: string): number {
  const [, digits, unit] = /^(\d+)([MGT])$/.exec(text) ?? [];
  const size = Number(digits) * (UNITS[unit as keyof typeof UNITS] ?? Number.NaN);
  if (!(size >= UNITS.M && size <= MOST_RAM))
    throw new UsageError(`--ram ${text}: not a size; say 512M, 4G or 1T, 64T at most`);
  return size;
}
