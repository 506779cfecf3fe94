import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { packageFolders, ROOT, readText, typeErrors } from './house.js';

/** Declares tests, which those who use it show to run: no program of its own. */
const TESTING = 'packages/testing';

const homes = [...packageFolders('packages').map((name) => `packages/${name}`), 'test'].filter(
  (home) => home !== TESTING && (home === 'test' || existsSync(`${ROOT}${home}/README.md`)),
);

/** The first program in a README. */
function example(readme: string): string | undefined {
  return /^```ts\n(import [\s\S]*?)^```/m.exec(readText(readme))?.[1];
}

const textOf = (home: string) => example(home === 'test' ? 'README.md' : `${home}/README.md`);

/** Puts a program where its imports lead to what the home's own do. */
function write(home: string, code: string): string {
  const path = `${home}/.cache/readme-example.ts`;
  mkdirSync(`${ROOT}${home}/.cache`, { recursive: true });
  // A module of its own, whatever is in it.
  writeFileSync(ROOT + path, `${code}\nexport {};\n`);
  return ROOT + path;
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("the README's example runs and prints something", () => {
  test.each(homes)('%s', async (home) => {
    const code = textOf(home);
    expect(code).toBeDefined();
    const path = write(home, code!);
    const printed = vi.spyOn(console, 'log').mockImplementation(() => {});
    await import(/* @vite-ignore */ path);
    expect(printed).toHaveBeenCalled();
  });

  test('and the compiler has nothing against any of them', () => {
    const files = homes.map((home) => write(home, textOf(home)!));
    const project = `${ROOT}test/.cache/readmes.json`;
    const compilerOptions = {
      composite: false,
      declarationMap: false,
      noEmit: true,
      rootDir: ROOT,
    };
    const include = [...files, `${ROOT}packages/*/src/**/*.d.ts`];
    writeFileSync(
      project,
      JSON.stringify({ extends: `${ROOT}tsconfig.base.json`, compilerOptions, include }),
    );
    expect(typeErrors(project)).toEqual([]);
  });
});
