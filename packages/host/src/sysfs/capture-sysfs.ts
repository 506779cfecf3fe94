import type { Sysfs } from '@vfiokit/driver-model';
import { EACCES, EINVAL, ENOENT, EROFS, ERRNO } from '@vfiokit/uapi';
import type { FileTree, TreeEntry } from './file-tree.js';

/** Longer chains of links are loops. */
const MAX_LINKS = 40;
const ROOT: Place = { path: '', entry: { type: 'directory' } };

interface Place {
  readonly path: string;
  readonly entry: TreeEntry;
}

/**
 * A captured machine: a read-only {@link Sysfs}. What was not captured is absent (`-ENOENT`), what the capturing could
 * not read is not (`-EACCES`): neither means "empty". Links are resolved inside the capture; one that was made absolute
 * on another machine leads nowhere, though its text can still be read.
 */
export class CaptureSysfs implements Sysfs {
  readonly kind = 'capture';
  readonly #unreadable: ReadonlySet<string>;

  /** @param lists names of files in the tree's root that list what exists and could not be read, one path a line. */
  constructor(
    private readonly tree: FileTree,
    lists: readonly string[] = ['write-only.txt', 'unreadable.txt'],
  ) {
    const decoder = new TextDecoder();
    const listed = lists.flatMap((name) => {
      const bytes = tree.read(`/${name}`);
      return typeof bytes === 'number' ? [] : decoder.decode(bytes).split('\n');
    });
    this.#unreadable = new Set(listed.filter((line) => line !== ''));
  }

  async read(path: string): Promise<Uint8Array | number> {
    const place = this.#walk(path, true);
    if (typeof place === 'number') return place;
    if (place.entry.type === 'directory') return -ERRNO.EISDIR;
    const hidden = place.entry.type === 'file' && (place.entry.mode & 0o444) === 0;
    return hidden || this.#unreadable.has(place.path) ? -EACCES : this.tree.read(place.path);
  }

  async write(): Promise<number> {
    return -EROFS;
  }

  async list(path: string): Promise<readonly string[] | number> {
    const place = this.#walk(path, true);
    if (typeof place === 'number') return place;
    return place.entry.type === 'directory' ? this.tree.list(place.path) : -ERRNO.ENOTDIR;
  }

  async readLink(path: string): Promise<string | number> {
    const place = this.#walk(path, false);
    if (typeof place === 'number') return place;
    return place.entry.type === 'link' ? place.entry.target : -EINVAL;
  }

  #walk(path: string, follow: boolean): Place | number {
    let place: Place = ROOT;
    const rest = path.split('/').reverse();
    let links = 0;
    while (rest.length > 0) {
      const name = rest.pop()!;
      if (name === '' || name === '.') continue;
      if (name === '..') {
        // The path has no links in it, so what stands above is a directory.
        const path_ = place.path.slice(0, Math.max(0, place.path.lastIndexOf('/')));
        place = { path: path_, entry: { type: 'directory' } };
        continue;
      }
      if (place.entry.type !== 'directory') return -ENOENT;
      const next = `${place.path}/${name}`;
      const entry = this.tree.lookUp(next);
      if (typeof entry === 'number') return entry;
      if (entry.type !== 'link' || (rest.length === 0 && !follow)) {
        place = { path: next, entry };
        continue;
      }
      links += 1;
      if (links > MAX_LINKS) return -ERRNO.EINVAL;
      if (entry.target.startsWith('/')) place = ROOT;
      rest.push(...entry.target.split('/').reverse());
    }
    return place;
  }
}
