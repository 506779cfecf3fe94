import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { manifest, packageFolders, ROOT, readText, trackedFiles } from './house.js';

const files = trackedFiles();
const isText = (path: string) => !/\.(gz|bz2|png)$/.test(path);

/** Lines of tracked files that match, as `path:number: text`. */
function grep(pattern: RegExp, within: (path: string) => boolean): string[] {
  return files
    .filter((path) => isText(path) && within(path))
    .flatMap((path) =>
      readFileSync(ROOT + path, 'utf8')
        .split('\n')
        .map((text, i) => ({ text, at: `${path}:${i + 1}` }))
        .filter(({ text }) => pattern.test(text))
        .map(({ text, at }) => `${at}: ${text.trim()}`),
    );
}

describe('the repository', () => {
  test('core and pci know no vendor', () => {
    const vendors = [/\bigd|Igd|IGD/, /zpci|mlx|nvlink|nvidia|intel/i];
    const isMechanism = (path: string) => /^packages\/(core|pci)\/src\//.test(path);
    expect(vendors.flatMap((vendor) => grep(vendor, isMechanism))).toEqual([]);
  });

  test('no file knows the machine that it was written on', () => {
    const here = new RegExp(['/wo', 'rk/'].join(''));
    expect(grep(here, () => true)).toEqual([]);
  });

  test('the lockfile names no registry but the public one', () => {
    const hosts = grep(/https?:\/\/(?!registry\.npmjs\.org)/, (path) => path === 'pnpm-lock.yaml');
    expect(hosts).toEqual([]);
  });

  test('no test is skipped or focused by hand', () => {
    const focused = /\b(test|it|describe)(\.each)?\.(only|skip|todo|fails)\b/;
    expect(
      grep(focused, (path) => path.endsWith('.test.ts') && path !== 'test/repository.test.ts'),
    ).toEqual([]);
  });

  test.each(packageFolders('packages'))('%s can be published', (name) => {
    const { license, description, files: shipped } = manifest(`packages/${name}`);
    expect(license).toBe('Apache-2.0');
    expect(description).toMatch(/\w+ \w+/);
    // What source maps and declaration maps point to goes with them.
    expect(shipped).toEqual(expect.arrayContaining(['dist', 'src']));
    const readme = readText(`packages/${name}/README.md`);
    expect(readme.split('\n').filter((line) => line.startsWith('## '))).toEqual(
      expect.arrayContaining(['## Extension points', '## Not modelled']),
    );
  });
});
