import { globMatches, literalPrefix } from './glob.js';

/** One line of a module index. */
export interface AliasEntry {
  /** As it is written, dashes kept. */
  readonly pattern: string;
  readonly module: string;
  /** In the file, from 1; the priority of a binary index, which has no lines. */
  readonly line: number;
}

/** An alias in the form in which aliases are compared: dashes are underscores outside of `[...]`. */
export function normalizeAlias(alias: string): string | undefined {
  if (!alias.includes('[') && !alias.includes(']')) return alias.replaceAll('-', '_');
  let inside = false;
  let normal = '';
  for (const character of alias) {
    if (character === ']' && !inside) return undefined;
    if (character === '[') inside = true;
    else if (character === ']') inside = false;
    normal += character === '-' && !inside ? '_' : character;
  }
  return inside ? undefined : normal;
}

interface Compiled {
  readonly pattern: string;
  readonly entry: AliasEntry;
  /** What comes first where several match. */
  readonly order: number;
}

/**
 * Finds the patterns that match a key without trying them all: they are filed under the text before their first
 * wildcard, so that a look-up costs one hash access for each length such a text has in the index.
 */
export class AliasIndex {
  readonly #byPrefix = new Map<string, Compiled[]>();
  readonly #lengths: readonly number[];
  readonly entries: readonly AliasEntry[];

  /** @param entries in the order of their modules; patterns that are not well-formed are never found. */
  constructor(entries: readonly AliasEntry[]) {
    this.entries = entries;
    const lengths = new Set<number>();
    for (const [order, entry] of entries.entries()) {
      const pattern = normalizeAlias(entry.pattern);
      if (pattern === undefined) continue;
      const prefix = literalPrefix(pattern);
      lengths.add(prefix.length);
      const filed = this.#byPrefix.get(prefix);
      const compiled = { pattern, entry, order };
      if (filed === undefined) this.#byPrefix.set(prefix, [compiled]);
      else filed.push(compiled);
    }
    this.#lengths = [...lengths].sort((a, b) => a - b);
  }

  /** Every entry whose pattern matches a key, in the order of the index; none for a key that is not well-formed. */
  match(key: string): readonly AliasEntry[] {
    const normal = normalizeAlias(key);
    if (normal === undefined) return [];
    const found: Compiled[] = [];
    for (const length of this.#lengths) {
      if (length > normal.length) break;
      for (const compiled of this.#byPrefix.get(normal.slice(0, length)) ?? [])
        if (globMatches(compiled.pattern, normal)) found.push(compiled);
    }
    return found.sort((a, b) => a.order - b.order).map(({ entry }) => entry);
  }

  /** The modules that a load by this alias would insert, each once, in the order of the index. */
  modules(key: string): readonly string[] {
    return [...new Set(this.match(key).map(({ module }) => module))];
  }
}

/** Reads `modules.alias`. Other lines than `alias PATTERN MODULE` are comments or unknown, and are passed over. */
export function parseModulesAlias(text: string): readonly AliasEntry[] {
  const entries: AliasEntry[] = [];
  for (const [index, content] of text.split('\n').entries()) {
    if (!content.startsWith('alias ')) continue;
    const [, pattern, module] = content.split(' ');
    if (pattern && module) entries.push({ pattern, module, line: index + 1 });
  }
  return entries;
}
