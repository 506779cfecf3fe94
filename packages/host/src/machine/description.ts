import * as v from 'valibot';

const hexNumber = (digits: string) =>
  v.pipe(
    v.string(),
    v.regex(
      new RegExp(`^[0-9a-f]{${digits}}$`, 'i'),
      `must be ${digits} hexadecimal digits, in quotes`,
    ),
  );

const ADDRESS = v.pipe(
  v.string(),
  v.regex(
    /^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/,
    'must be an address such as "0000:00:02.0", in quotes',
  ),
);
const ID_PAIR = v.pipe(
  v.string(),
  v.regex(/^[0-9a-f]{4}:[0-9a-f]{4}$/, 'must be ids such as "8086:10d3", in quotes'),
);
const SIZE = v.pipe(
  v.string(),
  v.regex(
    /^(?:none|\d+[KMGT]?( 64)?( prefetch)?( io| ram)?)$/,
    'must be a BAR such as "16M 64 prefetch", "64K ram" or "32 io", or "none" for a register without one',
  ),
);
/** `8086:10d3`, `8086:*`, or `class 0403xx`. */
const MATCH = v.pipe(
  v.string(),
  v.regex(
    /^(?:[0-9a-f]{4}:(?:[0-9a-f]{4}|\*)|class [0-9a-f]{2}(?:[0-9a-f]{2}|xx)(?:[0-9a-f]{2}|xx))$/,
    'must be "8086:10d3", "8086:*" or "class 0403xx"',
  ),
);

/** MSI-X vectors. */
const MSIX = v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(2048)));

/** What a function's own driver makes of it: `{ net: eth0 }`. */
const PROVIDES = v.optional(
  v.record(
    v.picklist(['net', 'block', 'nvme', 'drm', 'graphics', 'sound', 'infiniband']),
    v.string(),
  ),
  {},
);
/** The number of an IOMMU group. */
const GROUP = v.pipe(v.number(), v.integer(), v.minValue(0));

const SRIOV = v.strictObject({
  /** The most VFs there can be. */
  total: v.pipe(v.number(), v.integer(), v.minValue(1)),
  /** VFs that are there at first. */
  enabled: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 0),
  offset: v.optional(v.number(), 1),
  stride: v.optional(v.number(), 1),
  /** Whether the VFs that are there at first were offered to drivers. */
  probe: v.optional(v.boolean(), true),
  /** The device id of the VFs. */
  device: hexNumber('4'),
  /** BARs and MSI-X vectors of each VF. */
  bars: v.optional(v.array(SIZE), []),
  msix: MSIX,
  /** What is to be said of VFs one by one, the first of them first. */
  vfs: v.optional(v.array(v.strictObject({ group: v.optional(GROUP), provides: PROVIDES })), []),
});

const FUNCTION = v.strictObject({
  at: ADDRESS,
  /** For people. */
  note: v.optional(v.string()),
  ids: ID_PAIR,
  subsystem: v.optional(ID_PAIR),
  class: hexNumber('6'),
  revision: v.optional(hexNumber('2'), '00'),
  /** The bus behind a bridge. */
  bridgeTo: v.optional(hexNumber('2')),
  /** The number of its IOMMU group; none for a function that is in none, absent for one of its own. */
  group: v.optional(v.union([GROUP, v.literal('none')])),
  bars: v.optional(v.array(SIZE), []),
  msix: MSIX,
  /** Whether it is PCI Express; conventional ones have no extended configuration space. */
  express: v.optional(v.boolean(), true),
  /** Kilobytes of an expansion ROM. */
  rom: v.optional(v.pipe(v.number(), v.integer())),
  sriov: v.optional(SRIOV),
  bootVga: v.optional(v.boolean()),
  numaNode: v.optional(v.number()),
  override: v.optional(v.string()),
  provides: PROVIDES,
  /** False for a function that no driver takes by itself at boot. */
  probe: v.optional(v.boolean(), true),
});

const DRIVER = v.strictObject({
  /** As it is registered; `i915`. */
  name: v.string(),
  /** Absent is no table at all, as pci-stub has none. */
  ids: v.optional(v.array(MATCH)),
  /** Can give its PFs VFs. */
  sriov: v.optional(v.boolean(), false),
  managedDma: v.optional(v.boolean(), false),
});

const MODULE = v.strictObject({
  name: v.string(),
  state: v.optional(v.picklist(['loaded', 'available', 'builtin']), 'loaded'),
  drivers: v.array(DRIVER),
});

/** A machine as YAML describes it. */
export const MACHINE = v.strictObject({
  name: v.string(),
  summary: v.optional(v.string()),
  architecture: v.picklist(['x86_64', 's390x', 'ppc64le', 'aarch64']),
  /** The kernel's release. */
  kernel: v.string(),
  /** `none`: no IOMMU, and no groups. */
  iommu: v.optional(v.picklist(['translating', 'none']), 'translating'),
  functions: v.array(FUNCTION),
  modules: v.optional(v.array(MODULE), []),
  /** VFIO drivers by their driver names: those that are loaded at boot, and those that can be loaded. */
  vfio: v.optional(
    v.strictObject({
      loaded: v.optional(v.array(v.string()), ['vfio-pci']),
      available: v.optional(v.array(v.string()), []),
    }),
    {},
  ),
  /** Blacklisted modules. */
  blacklist: v.optional(v.array(v.string()), []),
  /** The block device of the root file system and the interface of the default route. */
  root: v.optional(v.string()),
  defaultRoute: v.optional(v.string()),
  /** Tables of firmware, for the drivers that read them; their packages say what stands in them. */
  firmware: v.optional(v.record(v.string(), v.unknown()), {}),
});

/** A machine, with every default filled in. */
export type MachineDescription = v.InferOutput<typeof MACHINE>;
/** A machine as somebody writes it. */
export type MachineLiteral = v.InferInput<typeof MACHINE>;
export type FunctionSpec = MachineDescription['functions'][number];
export type ModuleSpec = MachineDescription['modules'][number];
export type DriverSpec = ModuleSpec['drivers'][number];
