/** What a scaffolded driver is called. */
export interface DriverNames {
  /** As the author gave it: `acme`, `acme-nic`. */
  readonly name: string;
  /** The package's name. */
  readonly packageName: string;
  /** Where it lies, seen from the root of the clone. */
  readonly directory: string;
}

/** A name that files, packages and drivers can have. */
export const DRIVER_NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

/**
 * A package with a driver that is derived from vfio-pci-core: one region, one override, the contract suites that they
 * have to pass. It lies two folders below the repository's root.
 *
 * @returns the text of every file by its path in the package.
 */
export function driverPackage({
  name,
  packageName,
  directory,
}: DriverNames): Readonly<Record<string, string>> {
  const driver = `${name.replaceAll('-', '_')}_vfio_pci`;
  const pascal = name
    .split('-')
    .map((word) => word[0]!.toUpperCase() + word.slice(1))
    .join('');
  const camel = pascal[0]!.toLowerCase() + pascal.slice(1);
  const names = {
    name,
    packageName,
    directory,
    driver,
    constant: driver.toUpperCase(),
    register: `register${pascal}`,
    variant: `${camel}Variant`,
    machine: `${camel}Machine`,
  };
  return {
    'package.json': packageJson(name, packageName),
    'tsconfig.json': TSCONFIG,
    'README.md': readme(names),
    'machine.yaml': machineYaml(names),
    'src/index.ts': index(names),
    'src/register.ts': registerFile(names),
    'src/ids.ts': IDS,
    [`src/${name}-driver.ts`]: driverFile(names),
    'src/scratch-region.ts': SCRATCH_REGION,
    'src/revision.ts': REVISION,
    'src/machine.ts': machineFile(names),
    'src/main.ts': mainFile(names),
    [`test/${name}-driver.test.ts`]: testFile(names),
  };
}

function packageJson(name: string, packageName: string): string {
  const manifest = {
    name: packageName,
    private: true,
    version: '0.1.0',
    description: `The ${name} driver, derived from vfio-pci-core`,
    type: 'module',
    license: 'Apache-2.0',
    exports: {
      '.': {
        '@vfiokit/source': './src/index.ts',
        types: './dist/index.d.ts',
        default: './dist/index.js',
      },
    },
    dependencies: {
      '@vfiokit/core': 'workspace:*',
      '@vfiokit/host': 'workspace:*',
      '@vfiokit/pci': 'workspace:*',
      '@vfiokit/uapi': 'workspace:*',
      tsyringe: 'catalog:',
    },
    devDependencies: { '@vfiokit/testing': 'workspace:*' },
  };
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

const TSCONFIG = `{
  "extends": "../../tsconfig.base.json",
  "references": [
    { "path": "../../packages/core" },
    { "path": "../../packages/host" },
    { "path": "../../packages/pci" },
    { "path": "../../packages/uapi" }
  ]
}
`;

interface AllNames extends DriverNames {
  readonly driver: string;
  readonly constant: string;
  readonly register: string;
  readonly variant: string;
  readonly machine: string;
}

function readme({ name, packageName, directory, driver, constant, register }: AllNames): string {
  return `# ${packageName}

The driver \`${driver}\` for functions of ${name}, derived from vfio-pci-core. It shows one of each:

| File | What it brings | Try |
| --- | --- | --- |
| \`src/ids.ts\`, \`machine.yaml\` | whose driver it is, and a machine with such a function | other ids, in both; a second function |
| \`src/${name}-driver.ts\` | the driver: name, ids, what its probe puts into the device's container | throw a \`VfioError\` to refuse a function |
| \`src/scratch-region.ts\` | a region of its own, index 9 | another size; \`mmap\`; a capability |
| \`src/revision.ts\` | a configuration byte that it answers for | another register; \`next\` is what the core would say |
| \`src/register.ts\` | how it joins a host, and machines of the command line | a table of firmware |
| \`test/${name}-driver.test.ts\` | the contracts, and two tests of its own | break something and watch which case fails |

\`\`\`ts
import { openFunction } from '@vfiokit/core';
import { ${constant} } from '${packageName}';

using opened = openFunction(pdev, { driver: ${constant} });
console.log(opened.device.read(9, 0, 4)); // on a host with more drivers: ${register}(container)
\`\`\`

On a machine, from the root of the clone:

\`\`\`sh
npx vfiokit --variant ${directory}/dist/index.js --machine ${directory}/machine.yaml inspect 0000:01:00.0
\`\`\`

## Not modelled

- Whatever your device does. Behind BARs that nobody describes is an open bus: reads are all ones, writes vanish.
`;
}

function index({ name, constant, register, variant, machine }: AllNames): string {
  return `export { DEVICE, VENDOR } from './ids.js';
export { ${machine} } from './machine.js';
export { main } from './main.js';
export { ${register}, ${variant} } from './register.js';
export { REVISION_OVERRIDE } from './revision.js';
export { SCRATCH_SIZE, scratchRegion } from './scratch-region.js';
export { ${constant} } from './${name}-driver.js';
`;
}

function registerFile({ name, driver, constant, register, variant }: AllNames): string {
  return `import { VFIO_PCI_DRIVERS, type Variant } from '@vfiokit/core';
import type { DependencyContainer } from 'tsyringe';
import { ${constant} } from './${name}-driver.js';

/** Puts \`${driver}\` on a host. */
export function ${register}(container: DependencyContainer): void {
  container.register(VFIO_PCI_DRIVERS, { useValue: ${constant} });
}

/** How the driver joins a machine that is being put together. \`vfiokit --variant\` finds it by the end of its name. */
export const ${variant}: Variant = (host) => ${register}(host);
`;
}

const IDS = `/** PCI ids of the functions that the driver is for; machine.yaml has one with them. */
export const VENDOR = 0x1234;
export const DEVICE = 0x0001;
`;

function driverFile({ name, driver, constant }: AllNames): string {
  return `import { DEVICE_OVERRIDES, DEVICE_REGIONS, type VfioPciDriver } from '@vfiokit/core';
import { DEVICE, VENDOR } from './ids.js';
import { REVISION_OVERRIDE } from './revision.js';
import { scratchRegion } from './scratch-region.js';

/** The driver of ${name}'s functions. It is taken only for functions whose \`driver_override\` names it. */
export const ${constant}: VfioPciDriver = {
  name: '${driver}',
  ids: [{ vendor: VENDOR, device: DEVICE }],
  probe(_pdev, container) {
    // What is put here lives as long as the function is bound; the core asks for it at every open.
    container.register(DEVICE_REGIONS, { useValue: { regions: () => [scratchRegion()] } });
    container.register(DEVICE_OVERRIDES, { useValue: REVISION_OVERRIDE });
  },
};
`;
}

function machineYaml({ name, driver }: AllNames): string {
  return `# A machine with one function of ${name}, which the driver has from the start.
name: ${name}-bench
architecture: x86_64
kernel: 7.2.12
functions:
  - at: "0000:01:00.0"
    ids: "1234:0001" # as in src/ids.ts
    class: "120000"
    revision: "01"
    group: 0
    bars: [64K 64]
    override: ${driver}
vfio: { loaded: [vfio-pci, ${driver}] }
`;
}

function machineFile({ machine, variant }: AllNames): string {
  return `import { readFileSync } from 'node:fs';
import { Machine, readDescription } from '@vfiokit/host';
import { ${variant} } from './register.js';

const FILE = new URL('../machine.yaml', import.meta.url);

/** The machine of \`machine.yaml\`, with the driver on it. */
export function ${machine}(): Machine {
  const description = readDescription(readFileSync(FILE, 'utf8'), 'machine.yaml');
  return new Machine(description, { register: ${variant} });
}
`;
}

const SCRATCH_REGION = `import type { DeviceRegion, RegionOps } from '@vfiokit/core';
import { MemoryBlock } from '@vfiokit/pci';
import { VFIO_REGION_INFO_FLAG_READ, VFIO_REGION_INFO_FLAG_WRITE, vendorRegionType } from '@vfiokit/uapi';
import { VENDOR } from './ids.js';

/** Bytes. */
export const SCRATCH_SIZE = 4096;
const SUBTYPE = 1;

/** Memory that a user may do with what it likes; anew at every open. */
class Scratch implements RegionOps {
  readonly #memory = new MemoryBlock(SCRATCH_SIZE);

  read(offset: number, size: 1 | 2 | 4): number {
    return this.#memory.read(offset, size);
  }

  write(offset: number, size: 1 | 2 | 4, value: number): number {
    this.#memory.write(offset, size, value);
    return 0;
  }
}

/** The region, at index 9. Users find it by its type, not by its index. */
export function scratchRegion(): DeviceRegion {
  return {
    type: vendorRegionType(VENDOR),
    subtype: SUBTYPE,
    size: SCRATCH_SIZE,
    flags: VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE,
    ops: new Scratch(),
  };
}
`;

const REVISION = `import type { ConfigRegister, DeviceOverride } from '@vfiokit/core';

const PCI_REVISION_ID = 0x08;
/** Tells the guest's driver that it is not alone with the hardware. */
const EMULATED = 0x80;

/** The revision, with its top bit set. Everything that is not named here stays the core's, and costs nothing. */
const revision: ConfigRegister = {
  name: 'revision',
  offset: PCI_REVISION_ID,
  length: 1,
  read(offset, size, next) {
    const value = next.read(offset, size);
    return value < 0 ? value : value | EMULATED;
  },
  write: (offset, size, value, next) => next.write(offset, size, value),
};

export const REVISION_OVERRIDE: DeviceOverride = { configRegisters: () => [revision] };
`;

function mainFile({ name, driver, constant }: AllNames): string {
  return `// What a user sees of the driver, side by side with plain vfio-pci.
import { openFunction } from '@vfiokit/core';
import { PciTopology } from '@vfiokit/pci';
import { DeviceClient } from '@vfiokit/uapi';
import { DEVICE, VENDOR } from './ids.js';
import { ${constant} } from './${name}-driver.js';

export function main(print: (line: string) => void): void {
  const ids = [VENDOR & 0xff, VENDOR >> 8, DEVICE & 0xff, DEVICE >> 8];
  const config = Uint8Array.of(...ids, 0, 0, 0, 0, 0x01);
  const topology = new PciTopology();
  const add = (address: string) => topology.add(address, { config, configSize: 256 });
  const row = (what: string, plain: unknown, derived: unknown) =>
    print(\`\${what.padEnd(12)}\${String(plain).padEnd(12)}\${derived}\`);
  using plain = openFunction(add('0000:00:03.0'));
  using derived = openFunction(add('0000:00:04.0'), { driver: ${constant} });
  const [a, b] = [plain, derived].map(({ device, process }) => new DeviceClient(device, process));
  row('', 'vfio-pci', '${driver}');
  row('regions', a!.info().numRegions, b!.info().numRegions);
  row('revision', a!.readConfig(8, 1), b!.readConfig(8, 1));
}
`;
}

function testFile({ name, constant, machine }: AllNames): string {
  return `import { openFunction } from '@vfiokit/core';
import { PciTopology } from '@vfiokit/pci';
import {
  buildConfig,
  describeDriver,
  describeOverride,
  describeRegionOps,
  StubOpening,
} from '@vfiokit/testing';
import { DeviceClient } from '@vfiokit/uapi';
import { expect, test } from 'vitest';
import { ${machine}, DEVICE, REVISION_OVERRIDE, SCRATCH_SIZE, scratchRegion, ${constant}, VENDOR } from '../src/index.js';

const AT = '0000:01:00.0';

const pdev = () =>
  new PciTopology().add('0000:00:03.0', {
    config: buildConfig({ vendor: VENDOR, device: DEVICE, revision: 1 }),
  });

// The function of machine.yaml: its ids have to be the driver's.
describeDriver('${name}', () => ({ driver: ${constant}, pdev: ${machine}().function(AT) }));
describeRegionOps('scratch', () => ({
  ops: scratchRegion().ops,
  size: SCRATCH_SIZE,
  writable: true,
}));
describeOverride('revision', () => ({
  override: REVISION_OVERRIDE,
  device: new StubOpening(pdev()),
  regions: [],
}));

test('a user finds the scratch region by its type, and the revision of the emulation', () => {
  using opened = openFunction(pdev(), { driver: ${constant} });
  using client = new DeviceClient(opened.device, opened.process);
  expect(client.regionInfo(9).type).toEqual({ type: 0x80000000 + VENDOR, subtype: 1 });
  client.writeRegion(9, 0x10, Uint8Array.of(1, 2, 3));
  expect([...client.readRegion(9, 0x10, 4)]).toEqual([1, 2, 3, 0]);
  expect(client.readConfig(8, 1)).toBe(0x81);
});

test('on the machine a user meets it behind group and container', () => {
  using user = ${machine}().open(AT);
  using client = new DeviceClient(user.device, user.process);
  expect(client.readConfig(0, 4)).toBe(DEVICE * 0x10000 + VENDOR);
  expect(client.readConfig(8, 1)).toBe(0x81);
});
`;
}
