import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { isAbsolute, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Variant } from '@vfiokit/core';
import { VfioError } from '@vfiokit/uapi';
import { packageEntry } from './package-entry.js';

/** What the export is called by which a package of drivers joins machines: `variant`, or `acmeVariant`. */
const EXPORT = /^variant$|Variant$/;

/**
 * The variant of a package or of a built module, which exports one function that is called so.
 *
 * @param word the path of a module, or the name of an installed package; both seen from a directory.
 * @throws VfioError `ENOENT` for a module that is not there, or a folder, `EINVAL` for one that can't be loaded or has no variant, or
 * more than one.
 */
export async function authoredVariant(word: string, from = process.cwd()): Promise<Variant> {
  const module = await load(word, find(word, from));
  const found = Object.entries(module).flatMap(([name, value]) =>
    EXPORT.test(name) && typeof value === 'function' ? [{ name, value: value as Variant }] : [],
  );
  const [variant, another] = found;
  if (variant === undefined)
    throw new VfioError(
      'EINVAL',
      `${word}: exports no variant; export one function called variant or …Variant, of the type Variant`,
    );
  if (another !== undefined)
    throw new VfioError(
      'EINVAL',
      `${word}: exports ${found.map(({ name }) => name).join(' and ')}; let one of them call the others, and export that`,
    );
  return variant.value;
}

function find(word: string, from: string): string {
  const path = resolve(from, word);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isFile()) return path;
  if (!/^\.{1,2}\//.test(word) && !isAbsolute(word))
    try {
      return packageEntry(word, from) ?? createRequire(join(from, 'package.json')).resolve(word);
    } catch {
      // No package either: what is said below.
    }
  if (found?.isDirectory())
    throw new VfioError(
      'ENOENT',
      `${word}: is a folder; name the built module in it, such as ${join(word, 'dist/index.js')}`,
    );
  throw new VfioError(
    'ENOENT',
    `${word}: no such module; name a package, or the path of a built module such as ./examples/acme/dist/index.js`,
  );
}

async function load(word: string, path: string): Promise<object> {
  try {
    return (await import(/* @vite-ignore */ pathToFileURL(path).href)) as object;
  } catch (error) {
    throw new VfioError(
      'EINVAL',
      `${word}: can't be loaded: ${error instanceof Error ? error.message : error}; is it built, with all that it imports?`,
      { cause: error },
    );
  }
}
