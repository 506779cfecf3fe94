import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** A target of a package's `exports`: a file of it, or choices by condition, the first that holds. */
type Target = string | null | readonly Target[] | { readonly [condition: string]: Target };

/** What holds for a module that Node imports. */
const CONDITIONS: readonly string[] = ['node', 'import', 'module-sync', 'default'];

/**
 * The file that `import` would load for the name of a package, seen from a directory, as far as the package's `exports`
 * tell (Node.js documentation, "Conditional exports"; no patterns). Node looks names up for the importing module alone,
 * and otherwise by the conditions of `require`, which packages of modules need not have.
 */
export function packageEntry(word: string, from: string): string | undefined {
  const [, name, subpath = ''] = /^((?:@[^/]+\/)?[^/]+)(\/.+)?$/.exec(word) ?? [];
  if (name === undefined) return undefined;
  const folders = createRequire(join(from, 'package.json')).resolve.paths(word) ?? [];
  const folder = folders
    .map((path) => join(path, name))
    .find((path) => existsSync(join(path, 'package.json')));
  if (folder === undefined) return undefined;
  const { exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    readonly exports?: Target;
  };
  const target = choose(targetOf(exports, `.${subpath}`));
  return target === undefined ? undefined : join(folder, target);
}

/** `exports` may be the main entry's target itself, or have a target for each path. */
function targetOf(exports: Target | undefined, path: string): Target | undefined {
  const byPath = isChoice(exports) && Object.keys(exports).some((key) => key.startsWith('.'));
  if (byPath) return exports[path];
  return path === '.' ? exports : undefined;
}

function choose(target: Target | undefined): string | undefined {
  if (typeof target === 'string') return target;
  const choices = isChoice(target)
    ? Object.entries(target).flatMap(([key, value]) => (CONDITIONS.includes(key) ? [value] : []))
    : (target ?? []);
  for (const choice of choices) {
    const found = choose(choice);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isChoice(target: Target | undefined): target is { readonly [condition: string]: Target } {
  return typeof target === 'object' && target !== null && !Array.isArray(target);
}
