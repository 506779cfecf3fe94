import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { manifest, packageFolders, ROOT, readText, siblings, typeErrors } from './house.js';

const COMPOSITION = 'packages/cli/src/composition.ts';

/** The lines of the composition that name a package of drivers, and which. */
const LINES = readText(COMPOSITION)
  .split('\n')
  .flatMap((text, index) => {
    const variant = /^ {2}'?([\w-]+)'?: async .*import\('@vfiokit\/\1'\)/.exec(text)?.[1];
    return variant === undefined ? [] : [{ variant, line: index + 1 }];
  });
const VARIANTS = LINES.map(({ variant }) => variant);

const HOMES = [
  ...packageFolders('packages').map((name) => `packages/${name}`),
  ...packageFolders('examples').map((name) => `examples/${name}`),
  'test',
];
const NOT_SOURCES = ['node_modules', '.cache', 'dist', 'fixtures'];

/** Paths of the TypeScript below a folder. */
function sources(folder: string): readonly string[] {
  return readdirSync(ROOT + folder, { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return NOT_SOURCES.includes(entry.name) ? [] : sources(path);
    return entry.name.endsWith('.ts') ? [path] : [];
  });
}

/** The repository in a folder of its own, without these packages: sources, and what they can import. */
function copyWithout(gone: readonly string[]): string {
  const copy = mkdtempSync(join(tmpdir(), 'vfiokit-without-'));
  const modules = join(copy, 'node_modules');
  mkdirSync(join(modules, '@vfiokit'), { recursive: true });
  const link = (name: string, target: string) => {
    mkdirSync(join(modules, name, '..'), { recursive: true });
    if (!existsSync(join(modules, name))) symlinkSync(target, join(modules, name));
  };
  const left = HOMES.filter((home) => !gone.some((name) => home === `packages/${name}`));
  for (const home of left) {
    for (const path of [`${home}/package.json`, ...sources(home)])
      cpSync(join(ROOT, path), join(copy, path));
    link(manifest(home).name, join(copy, home));
    for (const [name, target] of thirdParties(join(ROOT, home, 'node_modules'))) link(name, target);
  }
  for (const [name, target] of thirdParties(join(ROOT, 'node_modules'))) link(name, target);
  cpSync(join(ROOT, 'tsconfig.base.json'), join(copy, 'tsconfig.base.json'));
  writeFileSync(
    join(copy, 'tsconfig.json'),
    JSON.stringify({
      extends: './tsconfig.base.json',
      compilerOptions: { composite: false, declarationMap: false, noEmit: true, rootDir: '.' },
      include: left,
    }),
  );
  return copy;
}

/** What is installed in a folder beside packages of this repository. */
function thirdParties(folder: string): [name: string, target: string][] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => !name.startsWith('.') && name !== 'vfiokit' && name !== '@vfiokit')
    .flatMap((name) =>
      name.startsWith('@')
        ? readdirSync(join(folder, name)).map((inner) => `${name}/${inner}`)
        : name,
    )
    .map((name) => [name, realpathSync(join(folder, name))]);
}

const made: string[] = [];
afterAll(() => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true });
});

describe('packages of drivers', () => {
  test('are composed, one line each, but for crypto adapters, which are no PCI functions', () => {
    const floor = /^floor 2 +\w+ +(.*)$/m.exec(readText('README.md'))?.[1]?.split(/\s+/);
    expect([...VARIANTS, 'ap'].sort()).toEqual(floor?.sort());
  });

  test('do not lean on each other', () => {
    for (const variant of VARIANTS)
      expect(
        siblings(manifest(`packages/${variant}`)).filter((one) => VARIANTS.includes(one)),
        variant,
      ).toEqual([]);
  });

  test('when they are deleted, their lines of the composition break and nothing else', () => {
    const copy = copyWithout(VARIANTS);
    made.push(copy);
    const broken = typeErrors('.', copy).map((line) =>
      line.replace(/^(.*?)\((\d+),.*'(.*?)'.*$/, '$1:$2 $3'),
    );
    expect(broken).toEqual(
      LINES.map(({ variant, line }) => `${COMPOSITION}:${line} @vfiokit/${variant}`),
    );
  });

  test('nobody reads their files who does not import them', () => {
    const paths = new RegExp(
      `packages/(${VARIANTS.join('|')})/|'\\.\\./(\\.\\./)*(${VARIANTS.join('|')})/`,
    );
    const readers = HOMES.filter((home) => !VARIANTS.some((name) => home === `packages/${name}`));
    expect(readers.flatMap(sources).filter((path) => paths.test(readText(path)))).toEqual([]);
  });
});
