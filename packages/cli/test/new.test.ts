import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { COMMANDS } from '../src/composition.js';
import { captureIo } from '../src/io.js';
import { run } from '../src/run.js';
import { driverPackage } from '../src/scaffold/driver-package.js';

const made: string[] = [];
const scratch = () => {
  const folder = mkdtempSync(join(tmpdir(), 'vfiokit-new-'));
  made.push(folder);
  return join(folder, 'driver');
};
afterEach(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true });
});

const invoke = async (...args: string[]) => {
  const io = captureIo();
  return { status: await run(['new', ...args], COMMANDS, io), io };
};

describe('vfiokit new driver', () => {
  it('writes a package with driver, region, override and tests', async () => {
    const directory = scratch();
    expect((await invoke('driver', 'acme-nic', '--directory', directory)).status).toBe(0);
    expect(readdirSync(directory).sort()).toEqual([
      'README.md',
      'machine.yaml',
      'package.json',
      'src',
      'test',
      'tsconfig.json',
    ]);
    const driver = readFileSync(join(directory, 'src/acme-nic-driver.ts'), 'utf8');
    expect(driver).toContain("name: 'acme_nic_vfio_pci'");
    expect(readFileSync(join(directory, 'src/register.ts'), 'utf8')).toContain('registerAcmeNic');
  });

  it('lets the projects of the clone refer to it, in order, and needs a clone', async () => {
    const clone = join(scratch(), '..');
    const project = (...paths: string[]) => ({
      files: [],
      references: paths.map((path) => ({ path })),
    });
    const home = process.cwd();
    try {
      process.chdir(clone);
      expect((await invoke('driver', 'acme')).io.err.join()).toContain('go to the root of a clone');
      writeFileSync('pnpm-workspace.yaml', '');
      for (const name of ['tsconfig.json', 'tsconfig.test.json'])
        writeFileSync(name, JSON.stringify(project('examples/added-region', 'packages/core')));
      expect((await invoke('driver', 'acme')).status).toBe(0);
      for (const name of ['tsconfig.json', 'tsconfig.test.json'])
        expect(JSON.parse(readFileSync(name, 'utf8'))).toEqual(
          project('examples/acme', 'examples/added-region', 'packages/core'),
        );
    } finally {
      process.chdir(home);
    }
  });

  it('overwrites nothing', async () => {
    const directory = scratch();
    await invoke('driver', 'acme', '--directory', directory);
    expect((await invoke('driver', 'acme', '--directory', directory)).status).toBe(1);
  });

  it('is particular about names', async () => {
    expect((await invoke('driver', 'Acme')).status).toBe(2);
    expect((await invoke('machine', 'acme')).status).toBe(2);
  });

  it('makes what the command line takes, as the guide ends', async () => {
    const guide = readFileSync(
      new URL('../../../docs/writing-a-driver.md', import.meta.url),
      'utf8',
    );
    const lines = [...guide.matchAll(/^npx vfiokit (--variant .*)$/gm)].map(([, words]) => words!);
    const commands = lines.map((line) =>
      line
        .replace('examples/acme/dist/index.js', 'examples/toy-variant-driver/src/index.ts')
        .replace('examples/acme/', 'examples/toy-variant-driver/')
        .split(' '),
    );
    expect(commands.map((words) => words[4])).toEqual(['plan', 'serve', 'inspect']);
    const [plan, , inspect] = await Promise.all(
      commands.map(async (words) => {
        const io = captureIo();
        // It would serve until it is told to end.
        const status = words[4] === 'serve' ? 0 : await run(words, COMMANDS, io);
        return { status, out: io.out.join('\n'), err: io.err };
      }),
    );
    expect(plan).toMatchObject({ status: 0, err: [] });
    expect(plan!.out).toContain('bound to toy_vfio_pci already');
    expect(inspect).toMatchObject({ status: 0, err: [] });
    expect(inspect!.out).toMatch(/beside plain vfio-pci\n +plain +toy_vfio_pci\n +region 9 +- /);
    expect(inspect!.out).toMatch(/config 0x8 +01 00 00 12 +81 00 00 12/);
  });

  it('makes what the toy example is', () => {
    const root = new URL('../../../examples/toy-variant-driver/', import.meta.url);
    // The formatter lays lines and imports out anew, and nothing else.
    const words = (text: string) => (text.match(/\w+/g) ?? []).sort().join(' ');
    const files = driverPackage({
      name: 'toy',
      packageName: '@vfiokit/example-toy-variant-driver',
      directory: 'examples/toy-variant-driver',
    });
    for (const [path, text] of Object.entries(files))
      expect(words(readFileSync(new URL(path, root), 'utf8')), path).toBe(words(text));
  });
});
