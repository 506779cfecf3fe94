import { describe, expect, test } from 'vitest';
import { manifest, packageFolders, readJson, readText, section, siblings } from './house.js';

interface Tsconfig {
  readonly references?: readonly { readonly path: string }[];
}

const packages = packageFolders('packages');
const examples = packageFolders('examples');
const references = (path: string) =>
  (readJson<Tsconfig>(path).references ?? []).map((reference) => reference.path);

describe('lists that must agree', () => {
  test('tsconfig.json builds every package and example', () => {
    const wanted = [
      ...packages.map((name) => `packages/${name}`),
      ...examples.map((name) => `examples/${name}`),
    ];
    const built = references('tsconfig.json').filter((path) => path !== 'tsconfig.test.json');
    expect([...built].sort()).toEqual(wanted.sort());
  });

  test('the tests are checked against every package', () => {
    const checked = references('tsconfig.test.json').filter((path) => path.startsWith('packages/'));
    expect([...checked].sort()).toEqual(packages.map((name) => `packages/${name}`));
  });

  test.each(packages)("%s's tsconfig refers to what its package.json depends on", (name) => {
    const referred = references(`packages/${name}/tsconfig.json`).map((path) =>
      path.replace(/^\.\.\//, ''),
    );
    expect([...referred].sort()).toEqual(siblings(manifest(`packages/${name}`)));
  });

  test("the README's table lists every package and links to it", () => {
    const rows = section(readText('README.md'), 'Packages').match(/^\| \[`[^|]*/gm) ?? [];
    const listed = rows.map((row) => /\(packages\/([^)/]+)\)/.exec(row)?.[1]);
    expect([...listed].sort()).toEqual(packages);
  });
});
