import type { DriverNames } from './driver-names.js';
import { driverSources } from './driver-sources.js';

/**
 * A package with a driver that is derived from vfio-pci-core: one region, one override, the contract suites that they
 * have to pass, a machine. It lies two folders below the repository's root.
 *
 * @returns the text of every file by its path in the package.
 */
export function driverPackage(names: DriverNames): Readonly<Record<string, string>> {
  return {
    'package.json': packageJson(names),
    'tsconfig.json': TSCONFIG,
    'README.md': readme(names),
    'machine.yaml': machineYaml(names),
    ...driverSources(names),
  };
}

function packageJson({ name, packageName }: DriverNames): string {
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

function readme({ name, packageName, directory, driver, machine }: DriverNames): string {
  return `# ${packageName}

The driver \`${driver}\` for functions of ${name}, derived from vfio-pci-core. It shows one of each:

| File | What it brings | Try |
| --- | --- | --- |
| \`src/ids.ts\`, \`machine.yaml\` | whose driver it is, and a machine with such a function | other ids, in both; other BARs; a second function |
| \`src/${name}-driver.ts\` | the driver: name, ids, what its probe puts into the device's container | throw a \`VfioError\` to refuse a function |
| \`src/scratch-region.ts\` | a region of its own, index 9 | another size; \`mmap\`; a capability |
| \`src/revision.ts\` | a configuration byte that it answers for | another register; \`next\` is what the core would say |
| \`src/register.ts\` | how it joins a host, and machines of the command line | a table of firmware |
| \`test/${name}-driver.test.ts\` | the contracts, and a test of its own | break something and watch which case fails |

\`\`\`ts
import { AT, ${machine} } from '${packageName}';

using user = ${machine}().open(AT);
console.log(user.device.read(7, 8, 1).toString(16)); // 81
\`\`\`

The same from the command line, at the root of the clone:

\`\`\`sh
npx vfiokit --variant ${directory}/dist/index.js --machine ${directory}/machine.yaml inspect 0000:01:00.0
\`\`\`

## Not modelled

- Whatever your device does: behind its BAR is memory.
`;
}

function machineYaml({ name, driver }: DriverNames): string {
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
    bars: [64K 64 ram] # 64 KiB of memory behind a 64-bit BAR; registers of your own come with an override
    override: ${driver}
vfio: { loaded: [vfio-pci, ${driver}] }
`;
}
