import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { authoredVariant } from '../src/authored-variant.js';
import { COMMANDS } from '../src/composition.js';
import { captureIo } from '../src/io.js';
import { run } from '../src/run.js';

const folder = mkdtempSync(join(tmpdir(), 'vfiokit-authored-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A module's file below the folder; its path as somebody in there would write it. */
function module(name: string, text: string): string {
  mkdirSync(join(folder, name, '..'), { recursive: true });
  writeFileSync(join(folder, name), text);
  return name;
}

const said = async (word: string) =>
  (await authoredVariant(word, folder))(undefined as never, undefined as never);

const SAYS = (name: string) => `export function ${name}() { return '${name}'; }\n`;

describe("an author's variant", () => {
  it.each([
    ['called variant', SAYS('variant')],
    ['called for its driver, beside other functions', SAYS('acmeVariant') + SAYS('main')],
  ])('is the export %s', async (what, text) => {
    const path = module(`${what.replaceAll(' ', '-')}.mjs`, text);
    expect(await said(path)).toMatch(/^(variant|acmeVariant)$/);
    expect(await said(`./${path}`)).toMatch(/^(variant|acmeVariant)$/);
    expect(await said(join(folder, path))).toMatch(/^(variant|acmeVariant)$/);
  });

  it.each<[string, string, object]>([
    ['a default', '@acme/driver', { exports: { '.': { default: './index.mjs' } } }],
    ['an entry for import alone', 'esm-driver', { exports: { import: './index.mjs' } }],
    [
      'conditions in conditions',
      '@acme/deep',
      { exports: { '.': { types: './index.d.ts', node: { import: ['./index.mjs'] } } } },
    ],
    ['an entry beside the main one', '@acme/two/nic', { exports: { './nic': './index.mjs' } }],
    ['one file', '@acme/plain', { exports: './index.mjs' }],
    ['a main file', 'old-driver', { main: './index.mjs' }],
    [
      'one entry each for require and import',
      'dual-driver',
      { exports: { require: './index.cjs', import: './index.mjs' } },
    ],
  ])('is found in an installed package with %s', async (_what, word, manifest) => {
    const name = word.replace(/(?<=^@acme\/\w+)\/.*/, '');
    module(`node_modules/${name}/package.json`, JSON.stringify({ name, ...manifest }));
    module(`node_modules/${name}/index.mjs`, SAYS('variant'));
    expect(await said(word)).toBe('variant');
  });

  it.each([
    ['nowhere', '', 'ENOENT', /^nowhere: no such module; name a package, or the path of a built/],
    ['@nowhere/driver', '', 'ENOENT', /^@nowhere\/driver: no such module; name a package/],
    [
      'node_modules',
      '',
      'ENOENT',
      /^node_modules: is a folder; .* such as node_modules\/dist\/index\.js$/,
    ],
    ['./nowhere.js', '', 'ENOENT', /^\.\/nowhere\.js: no such module/],
    ['none.mjs', SAYS('main'), 'EINVAL', /^none\.mjs: exports no variant; export one function/],
    ['no-function.mjs', 'export const variant = 1;', 'EINVAL', /exports no variant/],
    [
      'two.mjs',
      SAYS('aVariant') + SAYS('bVariant'),
      'EINVAL',
      /^two\.mjs: exports aVariant and bVariant; let one of them call the others/,
    ],
    ['broken.mjs', 'throw new Error("boom");', 'EINVAL', /^broken\.mjs: can't be loaded: boom;/],
  ])('%s is refused in one line', async (word, text, code, message) => {
    if (text !== '') module(word, text);
    await expect(authoredVariant(word, folder)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  it('is asked for by every command that opens a machine', async () => {
    const commands = [
      'show',
      'plan 0000:00:02.0',
      'bind 0000:00:02.0',
      'status',
      'serve 00:02.0 --socket x',
      'inspect 00:02.0',
      'inspect 00:02.0 --dma',
    ];
    for (const words of commands) {
      const io = captureIo();
      const argv = ['--machine', 'x86-laptop', '--variant', './nowhere.js', ...words.split(' ')];
      expect(await run(argv, COMMANDS, io), words).toBe(1);
      expect(io.err.join(), words).toMatch(/^\.\/nowhere\.js: no such module/);
    }
  });
});
