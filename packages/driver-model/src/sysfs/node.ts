import type { Blocking } from '../blocking.js';

/** A directory of the tree, listed and searched when somebody asks. */
export interface SysfsDirectory {
  readonly kind: 'directory';
  get(name: string): SysfsNode | undefined;
  names(): Iterable<string>;
}

/** A file. Permission bits that are set nowhere can't be used, not even by root. */
export interface SysfsFile {
  readonly kind: 'file';
  /** Such as 0o644. */
  readonly mode: number;
  /** The content, or a negated errno. */
  show?(): Blocking<string | Uint8Array | number>;
  /** Takes the bytes of one write, one character a byte: 0 or more, or a negated errno. */
  store?(text: string): Blocking<number>;
  /** Whether the object it belongs to still exists; open files of one that does not answer `-ENODEV`. */
  alive?(): boolean;
}

/** A symbolic link, by the absolute path of what it leads to. */
export interface SysfsLink {
  readonly kind: 'link';
  readonly target: string;
}

export type SysfsNode = SysfsDirectory | SysfsFile | SysfsLink;

/** A link to an absolute path. */
export function linkTo(target: string): SysfsLink {
  return { kind: 'link', target };
}

/** A read-only file whose text is fixed or computed. */
export function textFile(text: string | (() => string), mode = 0o444): SysfsFile {
  return { kind: 'file', mode, show: () => (typeof text === 'string' ? text : text()) };
}

/** A directory that one fills by hand. */
export class Directory implements SysfsDirectory {
  readonly kind = 'directory';
  readonly #entries = new Map<string, SysfsNode>();

  constructor(entries: Readonly<Record<string, SysfsNode>> = {}) {
    for (const [name, node] of Object.entries(entries)) this.set(name, node);
  }

  get(name: string): SysfsNode | undefined {
    return this.#entries.get(name);
  }

  names(): Iterable<string> {
    return this.#entries.keys();
  }

  set(name: string, node: SysfsNode): void {
    this.#entries.set(name, node);
  }

  delete(name: string): void {
    this.#entries.delete(name);
  }

  /** The directory of this name, made if there is none. */
  directory(name: string): Directory {
    const found = this.#entries.get(name);
    if (found instanceof Directory) return found;
    const made = new Directory();
    this.#entries.set(name, made);
    return made;
  }

  /** The directory at a path below this one, made where it is missing. */
  path(path: string): Directory {
    return path
      .split('/')
      .filter((name) => name !== '')
      .reduce<Directory>((directory, name) => directory.directory(name), this);
  }

  get empty(): boolean {
    return this.#entries.size === 0;
  }
}

/** A directory whose entries are computed from a map of the driver core at every look. */
export function mapDirectory<T>(
  map: ReadonlyMap<string, T>,
  node: (value: T, name: string) => SysfsNode | undefined,
): SysfsDirectory {
  return {
    kind: 'directory',
    get: (name) => {
      const value = map.get(name);
      return value === undefined ? undefined : node(value, name);
    },
    names: () => map.keys(),
  };
}
