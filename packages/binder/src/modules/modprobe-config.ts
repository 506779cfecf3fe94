import type { AliasEntry } from './alias-index.js';

/** What an administrator says of modules in `modprobe.d` (modprobe.d(5)). Names are spelled with underscores. */
export interface ModprobeConfig {
  /** Aliases that outrank the index. */
  readonly aliases: readonly AliasEntry[];
  readonly blacklist: ReadonlySet<string>;
  /** What is loaded before a module. */
  readonly softdeps: ReadonlyMap<string, readonly string[]>;
  /** Commands that stand for loading a module. */
  readonly install: ReadonlyMap<string, string>;
  readonly options: ReadonlyMap<string, string>;
}

export const NO_CONFIG: ModprobeConfig = {
  aliases: [],
  blacklist: new Set(),
  softdeps: new Map(),
  install: new Map(),
  options: new Map(),
};

/** A module's name as files and the kernel spell it. */
export function moduleName(name: string): string {
  return name.replaceAll('-', '_');
}

/** Reads files of `modprobe.d`, in the order in which they count. */
export function parseModprobeConfig(texts: readonly string[]): ModprobeConfig {
  const aliases: AliasEntry[] = [];
  const blacklist = new Set<string>();
  const softdeps = new Map<string, readonly string[]>();
  const install = new Map<string, string>();
  const options = new Map<string, string>();
  const lines = texts.flatMap((text) => text.replaceAll('\\\n', ' ').split('\n'));
  for (const [index, line] of lines.entries()) {
    const [command, subject, ...rest] = line.trim().split(/\s+/);
    if (command === undefined || command.startsWith('#') || subject === undefined) continue;
    const name = moduleName(subject);
    const text = rest.join(' ');
    switch (command) {
      case 'alias':
        if (rest[0] !== undefined)
          aliases.push({ pattern: subject, module: moduleName(rest[0]), line: index + 1 });
        break;
      case 'blacklist':
        blacklist.add(name);
        break;
      case 'softdep':
        softdeps.set(name, preDependencies(rest));
        break;
      case 'install':
        install.set(name, text);
        break;
      case 'options':
        options.set(name, [options.get(name), text].filter(Boolean).join(' '));
        break;
    }
  }
  return { aliases, blacklist, softdeps, install, options };
}

/** The modules behind `pre:`, up to `post:`. */
function preDependencies(words: readonly string[]): readonly string[] {
  const from = words.indexOf('pre:');
  if (from < 0) return [];
  const rest = words.slice(from + 1);
  const end = rest.indexOf('post:');
  return (end < 0 ? rest : rest.slice(0, end)).map(moduleName);
}
