import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const PACKAGES = new URL('../../', import.meta.url);

/** All sources of a package, or of a folder of one. */
function sources(name: string): string {
  const folder = new URL(`${name}/src/`, PACKAGES);
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => readFileSync(new URL(path, folder), 'utf8'))
    .join('\n');
}

function driver(name: string): string {
  const folder = new URL(`variants-more/src/${name}/`, PACKAGES);
  return readdirSync(folder)
    .map((path) => readFileSync(new URL(path, folder), 'utf8'))
    .join('\n');
}

const TEXT: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ['igd', 'zpci', 'nvlink', 'mlx', 'nvgrace-gpu', 'virtio'].map((name) => [name, sources(name)]),
  ),
  ...Object.fromEntries(['hisi', 'pds', 'qat', 'xe', 'ism'].map((name) => [name, driver(name)])),
};

/** What drivers need of the core (derived drivers, 15.1): who has it here, and the word in their sources that shows it. */
const HOOKS: readonly (readonly [row: string, users: readonly string[], evidence: RegExp])[] = [
  [
    'H1 own override-only id table',
    ['mlx', 'nvgrace-gpu', 'virtio', 'hisi', 'pds', 'qat', 'xe', 'ism'],
    /\bids: /,
  ],
  ['H2 second bus id table', ['mlx'], /AuxiliaryDriver/],
  [
    'H3 run-time predicate beyond ids',
    ['igd', 'zpci', 'nvlink', 'mlx', 'nvgrace-gpu', 'virtio', 'hisi', 'pds', 'qat', 'xe'],
    /probe\(|-ENODEV|functions\(/,
  ],
  ['H4 choose op table at probe', ['nvgrace-gpu', 'virtio', 'hisi'], /OPS_NAME/],
  [
    'H5 graceful fallback',
    ['igd', 'nvlink', 'mlx', 'nvgrace-gpu', 'virtio', 'hisi', 'xe'],
    /return(;| undefined| \[\])/,
  ],
  ['H6 extend init and release', ['mlx', 'pds', 'qat'], /RELEASE_HOOKS/],
  [
    'H7 step between enable and finish',
    ['mlx', 'nvgrace-gpu', 'virtio', 'hisi', 'pds', 'qat'],
    /OPEN_HOOKS/,
  ],
  ['H8 hook inside core enable and disable', ['zpci'], /PLATFORM_HOOKS/],
  ['H9 teardown before core close', ['mlx', 'nvgrace-gpu', 'pds', 'qat'], /defer\(/],
  ['H10 extra region', ['igd', 'nvlink', 'mlx'], /DEVICE_REGIONS/],
  ['H11 extra region: mmap', ['nvlink'], /mmap\(/],
  ['H12 extra region: capabilities', ['nvlink'], /capabilities\(\)/],
  ['H13 info of a fixed region', ['nvgrace-gpu', 'virtio', 'hisi', 'ism'], /info\(\): RegionInfo/],
  ['H14 read and write of a fixed region', ['nvgrace-gpu', 'virtio', 'hisi', 'ism'], /pread\(into/],
  ['H15 change or withdraw mmap', ['nvgrace-gpu', 'hisi', 'ism'], /implements Region/],
  ['H16 mark config bytes virtual', ['igd'], /vconfig/],
  ['H17 overlay config', ['nvgrace-gpu', 'virtio'], /configRegisters|FakeBarConfig/],
  ['H18 override ioctl', ['nvgrace-gpu', 'qat'], /IoctlHandler/],
  ['H19 device-info capabilities', ['zpci'], /infoCapabilities/],
  ['H20 migration ops', ['mlx', 'virtio', 'hisi', 'pds', 'qat', 'xe'], /implements MigrationOps/],
  ['H21 pre-copy ioctl', ['mlx', 'virtio', 'hisi', 'qat'], /precopyInfo/],
  ['H22 blocking data file with poll', ['mlx'], /ready\(\)/],
  ['H23 dirty-log ops', ['mlx', 'pds'], /implements DirtyLogOps/],
  ['H24 reset_prepare', ['hisi', 'xe'], /prepare/],
  [
    'H25 reset_done',
    ['mlx', 'nvgrace-gpu', 'virtio', 'hisi', 'pds', 'qat', 'xe'],
    /done\(\)|done:|MigrationOps/,
  ],
  ['H26 deferred reset', ['mlx', 'virtio', 'xe'], /MigrationOps/],
  ['H27 native PF driver', ['mlx', 'virtio', 'hisi', 'pds', 'qat', 'xe'], /pfDriverData/],
  ['H28 events of the native driver', ['mlx', 'pds'], /\.listen\(/],
  ['H29 KVM handle', ['zpci', 'nvlink'], /\bkvm\b/],
  ["H30 other devices' config space or companions", ['igd', 'nvlink'], /getDevice|npuOf/],
  [
    'H31 firmware and platform tables',
    ['igd', 'zpci', 'nvlink', 'nvgrace-gpu', 'ism'],
    /Platform|ClpFunction|IsmInstructions/,
  ],
  ['H32 physical memory', ['igd', 'nvlink', 'nvgrace-gpu'], /platform\.(map|memory)\(/],
  ['H33 page-fault time checks', ['nvlink', 'nvgrace-gpu'], /accessible/],
  ['H34 dma-buf provider', ['nvgrace-gpu'], /DMABUF_PROVIDER/],
  ['H35 own offset encoding', ['ism'], /offsetShift/],
  ['H37 omit a core feature op', ['qat', 'ism'], /VFIO_DEVICE_FEATURE_MASK|NO_REGION/],
  [
    'H39 region size differs from the BAR',
    ['nvgrace-gpu', 'virtio', 'hisi'],
    /size: (this\.size|barSize|LEGACY_BAR0_SIZE)/,
  ],
  ['H40 synthetic BAR', ['nvgrace-gpu', 'virtio'], /FakeBar|LegacyBar0/],
];

/** Rows that nobody has here, with why. */
const MISSING = {
  'H36 debug files': 'debugfs is not modelled',
  'H38 SR-IOV configure': 'a flag of the driver, which plain vfio-pci sets; tested in the core',
} as const;

describe('what an extension interface must offer', () => {
  it.each(HOOKS)('%s: used by %j', (_, users, evidence) => {
    for (const user of users) expect(TEXT[user], user).toMatch(evidence);
  });

  it('is forty rows, all but two of which have a user', () => {
    expect(HOOKS.length + Object.keys(MISSING).length).toBe(40);
  });

  it('is reached through the core alone', () => {
    for (const [user, text] of Object.entries(TEXT)) {
      const imports = [...text.matchAll(/from '(@vfiokit\/[^']+)'/g)].map(([, name]) => name);
      const allowed = [
        'core',
        'pci',
        'uapi',
        'driver-model',
        ...(user === 'mlx' ? ['aux-bus'] : []),
      ];
      expect(
        imports.filter((name) => !allowed.includes(name!.slice('@vfiokit/'.length))),
        user,
      ).toEqual([]);
    }
  });
});
