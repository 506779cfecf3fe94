import { createHash } from 'node:crypto';
import { readText, type Sysfs } from '@vfiokit/driver-model';
import { type AliasEntry, AliasIndex, normalizeAlias, parseModulesAlias } from './alias-index.js';
import { parseBinaryIndex, parseBuiltinModinfo } from './binary-index.js';
import {
  type ModprobeConfig,
  moduleName,
  NO_CONFIG,
  parseModprobeConfig,
} from './modprobe-config.js';
import { parseVfioPattern } from './vfio-alias.js';

/** What a module index was made of, for the record. */
export interface IndexIdentity {
  /** The file or folder; for people. */
  readonly path: string;
  readonly release?: string;
  readonly bytes: number;
  /** SHA-256 of what was read, in hex. */
  readonly digest: string;
}

export interface ModuleIndexParts {
  readonly identity: IndexIdentity;
  /** The text of `modules.alias`, which libvirt reads byte by byte; undefined where only the binary one was there. */
  readonly text?: string;
  readonly aliases: readonly AliasEntry[];
  /** Aliases of drivers compiled into the kernel. */
  readonly builtinAliases?: readonly AliasEntry[];
  /** Modules compiled into the kernel. */
  readonly builtin?: ReadonlySet<string>;
  /** Names of all modules that can be loaded, if known. */
  readonly modules?: ReadonlySet<string>;
  readonly config?: ModprobeConfig;
}

/** How one look-up was answered. */
export interface ModuleLookUp {
  readonly modules: readonly string[];
  /** Where the answer came from: the first source that had one. */
  readonly source: 'config' | 'name' | 'index' | 'builtin' | 'none';
  /** Modules that the administrator's blacklist took out. */
  readonly blacklisted: readonly string[];
  readonly valid: boolean;
}

/** A kernel's module indexes and the administrator's word on them, asked as kmod asks (libkmod-module.c). */
export class ModuleIndex {
  readonly identity: IndexIdentity;
  readonly text: string | undefined;
  readonly config: ModprobeConfig;
  readonly builtin: ReadonlySet<string>;
  readonly modules: ReadonlySet<string>;
  readonly aliases: AliasIndex;
  readonly builtinAliases: AliasIndex;
  readonly #configAliases: AliasIndex;
  #malformed: readonly number[] | undefined;

  constructor(parts: ModuleIndexParts) {
    this.identity = parts.identity;
    this.text = parts.text;
    this.config = parts.config ?? NO_CONFIG;
    this.builtin = parts.builtin ?? new Set();
    this.modules = parts.modules ?? new Set(parts.aliases.map(({ module }) => moduleName(module)));
    this.aliases = new AliasIndex(parts.aliases);
    this.builtinAliases = new AliasIndex(parts.builtinAliases ?? []);
    this.#configAliases = new AliasIndex(this.config.aliases);
  }

  /** An index from the text of a `modules.alias` alone. */
  static fromText(text: string, path: string, release?: string): ModuleIndex {
    return new ModuleIndex({
      identity: {
        path,
        bytes: text.length,
        digest: createHash('sha256').update(text).digest('hex'),
        ...(release === undefined ? {} : { release }),
      },
      text,
      aliases: parseModulesAlias(text),
    });
  }

  /**
   * Reads the index of a kernel release from a tree; undefined where there is none.
   *
   * @param root where the modules of all releases are, such as `/lib/modules`.
   */
  static async read(
    sysfs: Sysfs,
    release: string,
    root = '/lib/modules',
  ): Promise<ModuleIndex | undefined> {
    const folder = `${root}/${release}`;
    const text = await readText(sysfs, `${folder}/modules.alias`);
    const binary = await sysfs.read(`${folder}/modules.alias.bin`);
    if (typeof text === 'number' && typeof binary === 'number') return undefined;
    const aliases =
      typeof text === 'string'
        ? parseModulesAlias(text)
        : parseBinaryIndex(binary as Uint8Array, `${folder}/modules.alias.bin`);
    const modinfo = await readText(sysfs, `${folder}/modules.builtin.modinfo`);
    const order = names(await readText(sysfs, `${folder}/modules.order`));
    const digested = typeof text === 'string' ? text : (binary as Uint8Array);
    return new ModuleIndex({
      identity: {
        path: folder,
        release,
        bytes: digested.length,
        digest: createHash('sha256').update(digested).digest('hex'),
      },
      ...(typeof text === 'string' ? { text } : {}),
      aliases,
      builtinAliases: typeof modinfo === 'string' ? parseBuiltinModinfo(modinfo) : [],
      builtin: names(await readText(sysfs, `${folder}/modules.builtin`)),
      ...(order.size > 0 ? { modules: order } : {}),
      config: await readConfig(sysfs),
    });
  }

  /** Lines of the VFIO namespace that lack a field, or a module's name; from 1. */
  get malformedLines(): readonly number[] {
    this.#malformed ??= malformedLines(this.text ?? '');
    return this.#malformed;
  }

  /** Resolves an alias or a module's name, source by source, the first that has an answer deciding. */
  lookUp(key: string): ModuleLookUp {
    const none = { modules: [], blacklisted: [], source: 'none' } as const;
    const normal = normalizeAlias(key);
    if (normal === undefined) return { ...none, valid: false };
    const sources = [
      ['config', () => this.#configAliases.modules(key)],
      ['name', () => (this.modules.has(normal) ? [normal] : [])],
      ['index', () => this.aliases.modules(key)],
      ['builtin', () => (this.builtin.has(normal) ? [normal] : this.builtinAliases.modules(key))],
    ] as const;
    for (const [source, ask] of sources) {
      const modules = ask();
      if (modules.length === 0) continue;
      // A blacklist counts for aliases, not for a module that is asked for by its name.
      const blacklisted = source === 'name' ? [] : modules.filter((name) => this.blacklisted(name));
      return {
        modules: modules.filter((name) => !blacklisted.includes(name)),
        blacklisted,
        source,
        valid: true,
      };
    }
    return { ...none, valid: true };
  }

  /** Whether the administrator has blacklisted a module. */
  blacklisted(module: string): boolean {
    return this.config.blacklist.has(moduleName(module));
  }

  /** Whether a module can be loaded, or is compiled in; undefined if the index does not tell. */
  has(module: string): boolean {
    const name = moduleName(module);
    return this.modules.has(name) || this.builtin.has(name);
  }
}

function malformedLines(text: string): readonly number[] {
  if (!text.includes('alias vfio_pci:')) return [];
  return text.split('\n').flatMap((line, at) => {
    if (!line.startsWith('alias vfio_pci:')) return [];
    const [, pattern, module] = line.split(' ');
    return module && parseVfioPattern(pattern!) ? [] : [at + 1];
  });
}

/** Names of modules from a list of files such as `kernel/drivers/vfio/pci/vfio-pci.ko.xz`. */
function names(text: string | number): ReadonlySet<string> {
  if (typeof text === 'number') return new Set();
  return new Set(
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => moduleName(line.slice(line.lastIndexOf('/') + 1).replace(/\.ko(\..*)?$/, ''))),
  );
}

/** A file of the first folder hides one of the same name in the others; then they count by name (modprobe.d(5)). */
const CONFIG_FOLDERS = [
  '/etc/modprobe.d',
  '/run/modprobe.d',
  '/usr/local/lib/modprobe.d',
  '/lib/modprobe.d',
];

async function readConfig(sysfs: Sysfs): Promise<ModprobeConfig> {
  const files = new Map<string, string>();
  for (const folder of CONFIG_FOLDERS) {
    const listed = await sysfs.list(folder);
    if (typeof listed === 'number') continue;
    for (const name of listed)
      if (name.endsWith('.conf') && !files.has(name)) files.set(name, `${folder}/${name}`);
  }
  const texts: string[] = [];
  for (const name of [...files.keys()].sort()) {
    const text = await readText(sysfs, files.get(name)!);
    if (typeof text === 'string') texts.push(text);
  }
  return parseModprobeConfig(texts);
}
