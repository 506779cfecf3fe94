import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileError } from '@vfiokit/host';
import { VfioError } from '@vfiokit/uapi';

const TRACE_NAME = /\.jsonl(\.gz)?$/;
const WILD = /[*?]/;

/**
 * The traces that a word of the command line means: a file, all in a folder and below, or a pattern in which `*` and `?`
 * stay within a name and `**` does not. A file is taken whatever it is called.
 *
 * @throws VfioError ENOENT where there is nothing of the kind.
 */
export async function findTraces(word: string): Promise<readonly string[]> {
  const found = await stat(word).catch(() => undefined);
  if (found?.isDirectory()) return below(word, word, () => true);
  if (found !== undefined || !WILD.test(word)) return [word];
  const base = word.slice(0, word.search(WILD)).replace(/[^/]*$/, '') || '.';
  const pattern = patternOf(word);
  return below(base, word, (path) => pattern.test(path));
}

function patternOf(word: string): RegExp {
  const literal = word.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  const wild = literal.replace(/\*\*\/|\*|\?/g, (one) =>
    one === '**/' ? '(.*/)?' : one === '*' ? '[^/]*' : '[^/]',
  );
  return new RegExp(`^${wild}$`);
}

/** @param word what was asked for, for messages. */
async function below(
  folder: string,
  word: string,
  wanted: (path: string) => boolean,
): Promise<string[]> {
  const names = await readdir(folder, { recursive: true }).catch((cause: NodeJS.ErrnoException) => {
    throw fileError(folder, cause);
  });
  const files = names
    .filter((name) => TRACE_NAME.test(name))
    .map((name) => (folder === '.' ? name : join(folder, name)))
    .filter(wanted)
    .sort();
  if (files.length === 0)
    throw new VfioError(
      'ENOENT',
      `${word}: no such traces there; their names end in .jsonl or .jsonl.gz`,
    );
  return files;
}
