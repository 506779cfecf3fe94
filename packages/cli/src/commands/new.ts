import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { VfioError } from '@vfiokit/uapi';
import { command, EXIT_OK, JSON_OPTION, UsageError } from '../command.js';
import { plural } from '../output.js';
import { directoryProblem, driverNames, nameProblem } from '../scaffold/driver-names.js';
import { driverPackage } from '../scaffold/driver-package.js';

/** Projects of the clone that refer to every package. */
const PROJECTS = ['tsconfig.json', 'tsconfig.test.json'] as const;

/** Lets a project refer to a folder of the clone. */
function refer(project: string, directory: string): void {
  const config = JSON.parse(readFileSync(project, 'utf8')) as { references: { path: string }[] };
  config.references.push({ path: directory });
  config.references.sort((a, b) => (a.path < b.path ? -1 : 1));
  writeFileSync(project, `${JSON.stringify(config, null, 2)}\n`);
}

/** Writes a driver's package into the clone that it is called in. */
export const newCommand = command({
  name: 'new',
  summary: 'scaffold a package with a driver of your own',
  ownMachines: true,
  examples: ['new driver acme', 'new driver acme-nic --directory examples/nic'],
  args: {
    what: { type: 'positional', required: true, description: 'What to make: driver' },
    name: {
      type: 'positional',
      required: true,
      description: 'Its name, in lower case with hyphens and without vfio-pci',
    },
    directory: {
      type: 'string',
      description: 'Where to, one folder below examples; examples/NAME without it',
    },
    json: JSON_OPTION,
  },
  run({ args, io }) {
    const { what, name } = args;
    if (what !== 'driver')
      throw new UsageError(`${what}: can't be scaffolded; say \`vfiokit new driver ${name}\``);
    const directory = relative('.', args.directory ?? `examples/${name}`).replaceAll('\\', '/');
    const problem = nameProblem(name) ?? directoryProblem(directory);
    if (problem !== undefined) throw new UsageError(problem);
    if (!existsSync('pnpm-workspace.yaml'))
      throw new VfioError(
        'ENOENT',
        'pnpm-workspace.yaml: not here; go to the root of a clone, whose packages a driver leans on',
      );
    if (existsSync(directory))
      throw new VfioError(
        'EEXIST',
        `${directory}: exists already; choose another name, or another --directory`,
      );
    const files = driverPackage(driverNames(name, directory));
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(directory, dirname(path)), { recursive: true });
      writeFileSync(join(directory, path), text);
    }
    for (const project of PROJECTS) refer(project, directory);
    if (args.json) {
      io.json({ directory, files: Object.keys(files), referring: PROJECTS });
      return EXIT_OK;
    }
    io.print(`${directory}: ${plural(Object.keys(files).length, 'file')}`);
    io.print(`${PROJECTS.join(', ')}: refer to it`);
    io.print('Next:');
    io.print('  node scripts/pnpm.mjs install');
    io.print(`  npx biome check --write ${directory}`);
    io.print(`  npx tsc -b ${directory} && npx vitest run ${directory}`);
    io.print(
      `  npx vfiokit --variant ${directory}/dist/index.js --machine ${directory}/machine.yaml inspect 0000:01:00.0`,
    );
    io.print('docs/writing-a-driver.md goes on from there.');
    return EXIT_OK;
  },
});
