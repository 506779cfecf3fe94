import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { packageFolders, ROOT, readText } from './house.js';

/** Declares tests, which those who use it show to run: no program of its own. */
const TESTING = 'packages/testing';

const homes = [...packageFolders('packages').map((name) => `packages/${name}`), 'test'].filter(
  (home) => home !== TESTING && (home === 'test' || existsSync(`${ROOT}${home}/README.md`)),
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
