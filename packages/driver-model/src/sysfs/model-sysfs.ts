import { EACCES, EBADF, EINVAL, EIO, EISDIR, ENODEV, ENOENT, ENOTDIR } from '@vfiokit/uapi';
import type { SysfsDirectory, SysfsFile, SysfsNode } from './node.js';
import type { Sysfs } from './sysfs.js';

/** Bytes of a page: the most that one store or show moves. */
export const PAGE_SIZE = 4096;
/** Longer chains of links are loops (namei.c: MAXSYMLINKS). */
const MAX_LINKS = 40;

/** How a file is opened: open(2)'s access mode and the flag that common helpers add. Truncating changes nothing here. */
export interface OpenFlags {
  readonly read?: boolean;
  readonly write?: boolean;
  readonly create?: boolean;
}

/** An open file of a modelled tree. Its position plays no part in writes (fs/kernfs/file.c, fs/sysfs/file.c). */
export class SysfsDescriptor {
  constructor(
    private readonly file: SysfsFile,
    private readonly flags: OpenFlags,
  ) {}

  /** The whole value; of a text at most a page. `-ENODEV` once the object has gone. */
  async read(): Promise<Uint8Array | number> {
    if (!this.flags.read) return -EBADF;
    if (this.file.alive?.() === false) return -ENODEV;
    if (this.file.show === undefined) return -EIO;
    const value = await this.file.show();
    if (typeof value === 'number') return value;
    return typeof value === 'string' ? bytes(value.slice(0, PAGE_SIZE)) : value;
  }

  /**
   * One store, wherever the position is. No bytes do nothing; more than a page are cut to it, and a writer that goes on
   * with the rest makes a second store. `-ENODEV` once the object has gone.
   */
  async write(data: string | Uint8Array): Promise<number> {
    if (!this.flags.write) return -EBADF;
    if (this.file.alive?.() === false) return -ENODEV;
    const text = (typeof data === 'string' ? data : characters(data)).slice(0, PAGE_SIZE);
    if (text === '') return 0;
    if (this.file.store === undefined) return -EIO;
    const result = await this.file.store(text);
    return result < 0 ? result : text.length;
  }
}

interface Place {
  readonly node: SysfsNode;
  /** Its path without links. */
  readonly path: string;
}

/** A tree of nodes as root sees it: paths, links, permissions. */
export class ModelSysfs implements Sysfs {
  readonly kind = 'model';

  constructor(private readonly root: SysfsDirectory) {}

  /**
   * open(2): `-ENOENT` for a file that is not there, `-EACCES` to create one or for a mode that its permission bits do
   * not have (root is no exception in sysfs), `-EISDIR` for a directory.
   */
  open(path: string, flags: OpenFlags): SysfsDescriptor | number {
    const place = this.#walk(path, true);
    if (place === undefined)
      return flags.create && this.#walk(parentOf(path), true) !== undefined ? -EACCES : -ENOENT;
    const { node } = place;
    if (node.kind !== 'file') return -EISDIR;
    if (flags.read && (node.mode & 0o444) === 0) return -EACCES;
    if (flags.write && (node.mode & 0o222) === 0) return -EACCES;
    return new SysfsDescriptor(node, flags);
  }

  /** The permission bits of a file; undefined for anything else. */
  mode(path: string): number | undefined {
    const node = this.#walk(path, true)?.node;
    return node?.kind === 'file' ? node.mode : undefined;
  }

  async read(path: string): Promise<Uint8Array | number> {
    const file = this.open(path, { read: true });
    return typeof file === 'number' ? file : file.read();
  }

  async write(path: string, data: string | Uint8Array): Promise<number> {
    const file = this.open(path, { write: true });
    return typeof file === 'number' ? file : file.write(data);
  }

  async list(path: string): Promise<readonly string[] | number> {
    const node = this.#walk(path, true)?.node;
    if (node === undefined) return -ENOENT;
    return node.kind === 'directory' ? [...new Set(node.names())] : -ENOTDIR;
  }

  async readLink(path: string): Promise<string | number> {
    const place = this.#walk(path, false);
    if (place === undefined) return -ENOENT;
    if (place.node.kind !== 'link') return -EINVAL;
    return relativePath(parentOf(place.path), place.node.target);
  }

  #walk(path: string, follow: boolean): Place | undefined {
    let place: Place = { node: this.root, path: '' };
    const rest = path.split('/').reverse();
    let links = 0;
    while (rest.length > 0) {
      const name = rest.pop()!;
      if (name === '' || name === '.') continue;
      if (name === '..') {
        place = this.#walk(parentOf(place.path), true) ?? { node: this.root, path: '' };
        continue;
      }
      if (place.node.kind !== 'directory') return undefined;
      const node = place.node.get(name);
      if (node === undefined) return undefined;
      if (node.kind !== 'link' || (rest.length === 0 && !follow)) {
        place = { node, path: `${place.path}/${name}` };
        continue;
      }
      links += 1;
      if (links > MAX_LINKS) return undefined;
      rest.push(...node.target.split('/').reverse());
      place = { node: this.root, path: '' };
    }
    return place;
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** The link text that leads from a directory to a path, as sysfs makes them. */
function relativePath(from: string, to: string): string {
  const source = from.split('/');
  const target = to.split('/');
  let common = 0;
  while (common < source.length && source[common] === target[common]) common += 1;
  return [...source.slice(common).map(() => '..'), ...target.slice(common)].join('/');
}

const ENCODER = new TextEncoder();

function bytes(text: string): Uint8Array {
  return ENCODER.encode(text);
}

/** Bytes as characters of one byte each, so that a NUL or a stray byte gets to the store as it is. */
function characters(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('latin1');
}
