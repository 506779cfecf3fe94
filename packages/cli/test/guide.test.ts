import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { driverNames } from '../src/scaffold/driver-names.js';
import { driverPackage } from '../src/scaffold/driver-package.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** Where a package finds what scaffolded ones depend on. */
const HOME = `${ROOT}examples/toy-variant-driver/.cache/acme/`;
const GUIDE = readFileSync(`${ROOT}docs/writing-a-driver.md`, 'utf8');

/** What the guide leads to: the scaffolded package, copies of examples, and the files that stand in the guide. */
function follow(): readonly string[] {
  rmSync(HOME, { recursive: true, force: true });
  const files = { ...driverPackage(driverNames('acme', 'examples/acme')) };
  // They would say that it is a package of its own, which nothing was installed for.
  delete files['package.json'];
  delete files['tsconfig.json'];
  const shown = [...GUIDE.matchAll(/^```ts\n\/\/ (\S+\.ts)\n([\s\S]*?)^```/gm)];
  for (const [, path, text] of shown) files[path!] = text!;
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(HOME + path), { recursive: true });
    writeFileSync(HOME + path, text);
  }
  for (const [, from, to] of GUIDE.matchAll(/^cp (examples\/\S+) examples\/acme\/(\S+)$/gm))
    cpSync(ROOT + from!, `${HOME}${to}${from!.slice(from!.lastIndexOf('/') + 1)}`);
  return shown.map(([, path]) => path!);
}

/** What the compiler says, a line each. */
function typeErrors(): string {
  const compilerOptions = { composite: false, declarationMap: false, noEmit: true, rootDir: ROOT };
  const include = [`${HOME}src`, `${HOME}test`, `${ROOT}packages/*/src/**/*.d.ts`];
  const config = { extends: `${ROOT}tsconfig.base.json`, compilerOptions, include };
  const project = `${HOME}guide.json`;
  writeFileSync(project, JSON.stringify(config));
  const tsc = realpathSync(`${ROOT}node_modules/typescript/bin/tsc`);
  try {
    execFileSync(process.execPath, [tsc, '-p', project, '--pretty', 'false'], { encoding: 'utf8' });
    return '';
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

const shown = follow();

test("the guide's files are those of a network card", () => {
  expect(shown).toEqual([
    'src/nic.ts',
    'src/acme-driver.ts',
    'test/nic.test.ts',
    'src/acme-core.ts',
  ]);
});

test('the compiler has nothing against what the guide leads to', () => {
  expect(typeErrors()).toBe('');
});

// Their suites and tests become those of this file.
for (const name of ['acme-driver', 'nic'])
  await import(/* @vite-ignore */ `${HOME}test/${name}.test.ts`);
