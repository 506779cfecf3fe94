import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { VfioError } from '@vfiokit/uapi';
import { command, EXIT_OK, JSON_OPTION, UsageError } from '../command.js';
import { plural } from '../output.js';
import { DRIVER_NAME, driverPackage } from '../scaffold/driver-package.js';

/** Projects of the clone that refer to every package. */
const PROJECTS = ['tsconfig.json', 'tsconfig.test.json'] as const;

/** Lets a project refer to a folder of the clone; false if the folder is outside. */
function refer(project: string, directory: string): boolean {
  const path = relative('.', directory).replaceAll('\\', '/');
  if (path.startsWith('..')) return false;
  const config = JSON.parse(readFileSync(project, 'utf8')) as { references: { path: string }[] };
  config.references.push({ path });
  config.references.sort((a, b) => (a.path < b.path ? -1 : 1));
  writeFileSync(project, `${JSON.stringify(config, null, 2)}\n`);
  return true;
}

/** Writes a driver's package into the clone that it is called in. */
export const newCommand = command({
  name: 'new',
  summary: 'scaffold a package with a driver of your own',
  examples: ['new driver acme', 'new driver acme-nic --directory examples/nic'],
  args: {
    what: { type: 'positional', required: true, description: 'What to make: driver' },
    name: {
      type: 'positional',
      required: true,
      description: 'Its name, in lower case with hyphens',
    },
    directory: {
      type: 'string',
      description: 'Where to; examples/NAME without it, and two folders deep in any case',
    },
    json: JSON_OPTION,
  },
  run({ args, io }) {
    const { what, name } = args;
    if (what !== 'driver')
      throw new UsageError(`${what}: can't be scaffolded; say \`vfiokit new driver ${name}\``);
    if (!DRIVER_NAME.test(name))
      throw new UsageError(`${name}: no name for a driver; use lower case, digits and hyphens`);
    const directory = args.directory ?? `examples/${name}`;
    if (existsSync(directory))
      throw new VfioError('EEXIST', `${directory}: exists already; choose another --directory`);
    if (!existsSync('pnpm-workspace.yaml'))
      throw new VfioError(
        'ENOENT',
        'pnpm-workspace.yaml: not here; go to the root of a clone, whose packages a driver leans on',
      );
    const files = driverPackage({ name, packageName: `@vfiokit/example-${name}`, directory });
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(directory, dirname(path)), { recursive: true });
      writeFileSync(join(directory, path), text);
    }
    const referring = PROJECTS.filter((project) => refer(project, directory));
    if (args.json) {
      io.json({ directory, files: Object.keys(files), referring });
      return EXIT_OK;
    }
    io.print(`${directory}: ${plural(Object.keys(files).length, 'file')}`);
    if (referring.length > 0) io.print(`${referring.join(', ')}: refer to it`);
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
