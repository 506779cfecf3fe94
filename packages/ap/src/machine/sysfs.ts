import { VfioError } from '@vfiokit/uapi';
import { type Attribute, type AttributeTable, showOf, storeTo } from '../attribute.js';

/** What stands under a name of the tree. Directories are looked at only when somebody walks through them. */
export type SysfsNode =
  | { readonly kind: 'directory'; readonly entries: () => SysfsEntries }
  | { readonly kind: 'file'; readonly read: () => string; readonly write: (text: string) => void }
  /** A symbolic link, to an absolute path. */
  | { readonly kind: 'link'; readonly target: string };

/** The names in a directory. */
export type SysfsEntries = Readonly<Record<string, SysfsNode>>;

export function directory(entries: () => SysfsEntries): SysfsNode {
  return { kind: 'directory', entries };
}

export function link(target: string): SysfsNode {
  return { kind: 'link', target };
}

/** The files of an attribute table, for a target. */
export function attributeFiles<T>(table: AttributeTable<T>, target: T): SysfsEntries {
  return Object.fromEntries(
    Object.entries(table).map(([name, attribute]) => [
      name,
      attributeFile(name, attribute, target),
    ]),
  );
}

/** One attribute as a file. */
export function attributeFile<T>(name: string, attribute: Attribute<T>, target: T): SysfsNode {
  return {
    kind: 'file',
    read: () => showOf(attribute, name)(target),
    write: (text) => storeTo(attribute, name)(target, text),
  };
}

/** A tree of files, walked by path: what user space sees below `/sys`. Failures throw with the errno of the system call. */
export class SysfsTree {
  constructor(private readonly root: () => SysfsEntries) {}

  /** Reads a file. @throws VfioError `ENOENT`, `EISDIR`, `EACCES`, or what the attribute says. */
  read(path: string): string {
    return this.#file(path).read();
  }

  /** Writes a file in one write(2). Writing nothing does nothing. @throws VfioError as {@link read}. */
  write(path: string, text: string): void {
    this.#file(path).write(text);
  }

  /** The names in a directory, sorted. @throws VfioError `ENOENT`, `ENOTDIR`. */
  list(path: string): readonly string[] {
    const node = this.#resolve(path);
    if (node.kind !== 'directory') throw new VfioError('ENOTDIR', `${path}: no directory`);
    return Object.keys(node.entries()).sort();
  }

  /** Where a link leads. @throws VfioError `ENOENT`, `EINVAL` if it is none. */
  readLink(path: string): string {
    const node = this.#walk(path, false);
    if (node.kind !== 'link') throw new VfioError('EINVAL', `${path}: no link`);
    return node.target;
  }

  /** Whether there is something under a path. */
  exists(path: string): boolean {
    try {
      this.#resolve(path);
      return true;
    } catch (error) {
      if (error instanceof VfioError && error.code === 'ENOENT') return false;
      throw error;
    }
  }

  #file(path: string): SysfsNode & { kind: 'file' } {
    const node = this.#resolve(path);
    if (node.kind !== 'file') throw new VfioError('EISDIR', `${path}: is a directory`);
    return node;
  }

  #resolve(path: string): SysfsNode {
    return this.#walk(path, true);
  }

  #walk(path: string, followLast: boolean): SysfsNode {
    const names = path.split('/').filter((name) => name !== '');
    if (names[0] !== 'sys') throw new VfioError('ENOENT', `${path}: not below /sys`);
    let node: SysfsNode = directory(this.root);
    for (const [n, name] of names.slice(1).entries()) {
      const entries: SysfsEntries = node.kind === 'directory' ? node.entries() : {};
      const next: SysfsNode | undefined = Object.hasOwn(entries, name) ? entries[name] : undefined;
      if (next === undefined) throw new VfioError('ENOENT', `${path}: no such file`);
      const last = n === names.length - 2;
      node = next.kind === 'link' && (followLast || !last) ? this.#resolve(next.target) : next;
    }
    return node;
  }
}
