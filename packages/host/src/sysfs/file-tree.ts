import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { ENOENT } from '@vfiokit/uapi';
import { errnoOf } from './system-errno.js';

/** What stands at a path of a captured tree, its last part not followed. */
export type TreeEntry =
  | { readonly type: 'file'; readonly mode: number }
  | { readonly type: 'directory' }
  | { readonly type: 'link'; readonly target: string };

/** The files of a capture, wherever they are kept. Paths are absolute from its root; none is followed out of it. */
export interface FileTree {
  /** The entry, or a negated errno. */
  lookUp(path: string): TreeEntry | number;
  read(path: string): Uint8Array | number;
  list(path: string): readonly string[] | number;
}

/** A capture in a directory, read when somebody asks. */
export class DirectoryTree implements FileTree {
  constructor(private readonly root: string) {}

  lookUp(path: string): TreeEntry | number {
    const place = join(this.root, path);
    try {
      const stat = lstatSync(place);
      if (stat.isSymbolicLink()) return { type: 'link', target: readlinkSync(place) };
      return stat.isDirectory() ? { type: 'directory' } : { type: 'file', mode: stat.mode & 0o777 };
    } catch (error) {
      return errnoOf(error);
    }
  }

  read(path: string): Uint8Array | number {
    try {
      return readFileSync(join(this.root, path));
    } catch (error) {
      return errnoOf(error);
    }
  }

  list(path: string): readonly string[] | number {
    try {
      return readdirSync(join(this.root, path));
    } catch (error) {
      return errnoOf(error);
    }
  }
}

/** A capture in memory, as it comes out of an archive. */
export class MemoryTree implements FileTree {
  readonly #entries = new Map<string, TreeEntry & { readonly data?: Uint8Array }>();
  readonly #names = new Map<string, Set<string>>([['', new Set()]]);

  /** Adds an entry; the directories above it come by themselves. A later entry replaces an earlier one. */
  add(path: string, entry: TreeEntry & { readonly data?: Uint8Array }): void {
    if (path === '') return;
    this.#entries.set(path, entry);
    if (entry.type === 'directory' && !this.#names.has(path)) this.#names.set(path, new Set());
    const cut = path.lastIndexOf('/');
    const parent = path.slice(0, cut);
    if (parent !== '' && !this.#entries.has(parent)) this.add(parent, { type: 'directory' });
    let names = this.#names.get(parent);
    if (names === undefined) {
      names = new Set();
      this.#names.set(parent, names);
    }
    names.add(path.slice(cut + 1));
  }

  lookUp(path: string): TreeEntry | number {
    return path === '' ? { type: 'directory' } : (this.#entries.get(path) ?? -ENOENT);
  }

  read(path: string): Uint8Array | number {
    return this.#entries.get(path)?.data ?? -ENOENT;
  }

  list(path: string): readonly string[] | number {
    const names = this.#names.get(path);
    return names === undefined ? -ENOENT : [...names];
  }
}

/** The part of a tree below a folder. */
export class Subtree implements FileTree {
  constructor(
    private readonly tree: FileTree,
    private readonly prefix: string,
    /** Put before the paths that are asked for: `/sys` is the root of a tree that holds only that. */
    private readonly mount: string,
  ) {}

  lookUp(path: string): TreeEntry | number {
    if (path === '' || this.mount.startsWith(`${path}/`)) return { type: 'directory' };
    return this.#inside(path, (inner) => this.tree.lookUp(inner));
  }

  read(path: string): Uint8Array | number {
    return this.#inside(path, (inner) => this.tree.read(inner));
  }

  list(path: string): readonly string[] | number {
    if (this.mount !== '' && `${this.mount}/`.startsWith(`${path}/`) && path !== this.mount)
      return [this.mount.slice(path.length + 1).split('/')[0]!];
    return this.#inside(path, (inner) => this.tree.list(inner));
  }

  #inside<T>(path: string, ask: (inner: string) => T): T | number {
    if (!`${path}/`.startsWith(`${this.mount}/`)) return -ENOENT;
    return ask(`${this.prefix}${path.slice(this.mount.length)}`);
  }
}
