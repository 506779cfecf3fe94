import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { COMMANDS } from '../src/composition.js';
import { captureIo } from '../src/io.js';
import { run } from '../src/run.js';
import { driverNames } from '../src/scaffold/driver-names.js';
import { driverPackage } from '../src/scaffold/driver-package.js';

const PROJECTS = ['tsconfig.json', 'tsconfig.test.json'];

const home = process.cwd();
let clone = '';
beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), 'vfiokit-new-'));
  process.chdir(clone);
  writeFileSync('pnpm-workspace.yaml', '');
  for (const name of PROJECTS)
    writeFileSync(name, JSON.stringify(project('examples/added-region', 'packages/core')));
});
afterEach(() => {
  process.chdir(home);
  rmSync(clone, { recursive: true });
});

const project = (...paths: string[]) => ({
  files: [],
  references: paths.map((path) => ({ path })),
});

const invoke = async (...args: string[]) => {
  const io = captureIo();
  return { status: await run(['new', ...args], COMMANDS, io), io };
};

describe('vfiokit new driver', () => {
  it('writes a package with driver, region, override and tests', async () => {
    expect((await invoke('driver', 'acme-nic', '--directory', 'examples/nic')).status).toBe(0);
    expect(readdirSync('examples/nic').sort()).toEqual([
      'README.md',
      'machine.yaml',
      'package.json',
      'src',
      'test',
      'tsconfig.json',
    ]);
    const driver = readFileSync('examples/nic/src/acme-nic-driver.ts', 'utf8');
    expect(driver).toContain("name: 'acme_nic_vfio_pci'");
    expect(readFileSync('examples/nic/src/register.ts', 'utf8')).toContain('registerAcmeNic');
  });

  it('names a package after its folder, as there is one of that name only', async () => {
    await invoke('driver', 'acme', '--directory', './examples/nic/');
    const { name } = JSON.parse(readFileSync('examples/nic/package.json', 'utf8'));
    expect(name).toBe('@vfiokit/example-nic');
  });

  it('lets the projects of the clone refer to it, in order', async () => {
    expect((await invoke('driver', 'acme')).status).toBe(0);
    for (const name of PROJECTS)
      expect(JSON.parse(readFileSync(name, 'utf8'))).toEqual(
        project('examples/acme', 'examples/added-region', 'packages/core'),
      );
  });

  it('needs a clone', async () => {
    rmSync('pnpm-workspace.yaml');
    const { status, io } = await invoke('driver', 'acme');
    expect(status).toBe(1);
    expect(io.err.join()).toContain('go to the root of a clone');
  });

  it('overwrites nothing', async () => {
    await invoke('driver', 'acme');
    const { status, io } = await invoke('driver', 'acme');
    expect(status).toBe(1);
    expect(io.err.join()).toMatch(/^examples\/acme: exists already; choose another name, or/);
  });

  it.each([
    ['Acme', 'acme'],
    ['acme_nic', 'acme-nic'],
    ['@acme/nic', 'acme-nic'],
    ['3com', 'com'],
    ['acme--nic', 'acme-nic'],
    ['acme_vfio_pci', 'acme'],
    ['acme-vfio-pci', 'acme'],
    ['vfio-pci', 'acme'],
    ['../acme', 'acme'],
    ['42', 'acme'],
  ])('refuses the name %s and proposes %s', async (name, better) => {
    const { status, io } = await invoke('driver', name);
    expect(status).toBe(2);
    expect(io.err.join()).toContain(`say \`vfiokit new driver ${better}\``);
    expect((await invoke('driver', better)).status).toBe(0);
  });

  it.each([
    ['nic', 'examples/nic'],
    ['packages/nic', 'examples/nic'],
    ['examples/a/nic', 'examples/nic'],
    ['../nic', 'examples/nic'],
    ['/tmp/My NIC', 'examples/mynic'],
    ['examples', 'examples/examples'],
  ])('refuses the folder %s and proposes %s', async (directory, better) => {
    const { status, io } = await invoke('driver', 'acme', '--directory', directory);
    expect(status).toBe(2);
    expect(io.err.join()).toContain(`such as ${better}`);
    expect((await invoke('driver', 'acme', '--directory', better)).status).toBe(0);
  });

  it('makes nothing but drivers', async () => {
    expect((await invoke('machine', 'acme')).status).toBe(2);
  });

  it('makes what the command line takes, as the guide ends', async () => {
    process.chdir(home);
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
    const files = driverPackage(driverNames('toy', 'examples/toy-variant-driver'));
    for (const [path, text] of Object.entries(files))
      expect(words(readFileSync(new URL(path, root), 'utf8')), path).toBe(words(text));
  });
});
