import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { packageFolders, ROOT, readText } from './house.js';

/** Begins with a function, or with the tables of a machine, that its reader has; its package's tests do what it does. */
const READERS_OWN = [
  'igd',
  'mlx',
  'nvgrace-gpu',
  'nvlink',
  'variants-more',
  'vfio-user',
  'virtio',
  'zpci',
];

/** Examples that are not a program of their own. `testing` declares tests, which those who use it show to run. */
const NOT_RUN = new Set(['testing', ...READERS_OWN].map((name) => `packages/${name}`));

const homes = [...packageFolders('packages').map((name) => `packages/${name}`), 'test'].filter(
  (home) => !NOT_RUN.has(home) && (home === 'test' || existsSync(`${ROOT}${home}/README.md`)),
);

/** The first program in a README. */
function example(readme: string): string | undefined {
  return /^```ts\n(import [\s\S]*?)^```/m.exec(readText(readme))?.[1];
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("the README's example runs and prints something", () => {
  test.each(homes)('%s', async (home) => {
    const code = example(home === 'test' ? 'README.md' : `${home}/README.md`);
    expect(code).toBeDefined();
    const folder = `${ROOT}${home}/.cache`;
    mkdirSync(folder, { recursive: true });
    const path = `${folder}/readme-example.ts`;
    // A module of its own each time, though it is read once only.
    writeFileSync(path, `${code}\nexport {};\n`);
    const printed = vi.spyOn(console, 'log').mockImplementation(() => {});
    await import(/* @vite-ignore */ path);
    expect(printed).toHaveBeenCalled();
  });
});
