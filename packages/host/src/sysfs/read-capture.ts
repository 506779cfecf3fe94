import { readdirSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { VfioError } from '@vfiokit/uapi';
import { unpackTar } from 'modern-tar';
import bzip from 'seek-bzip';
import { CaptureSysfs } from './capture-sysfs.js';
import { DirectoryTree, type FileTree, MemoryTree, Subtree } from './file-tree.js';
import { fileError } from './system-errno.js';

/** How deep a capture's root may lie below the folders that an archive puts around it. */
const MAX_DEPTH = 3;

/**
 * Opens a captured sysfs: a directory, a `.tar`, `.tar.gz` or `.tar.bz2`, told by what is in it rather than by its name,
 * with or without folders around it, of a whole machine or of `/sys` alone.
 *
 * @throws VfioError `ENOENT`, `EACCES`; `EINVAL` for what is no archive or is cut short, or holds no PCI bus.
 */
export async function readCapture(path: string): Promise<CaptureSysfs> {
  try {
    if (!statSync(path).isDirectory())
      return new CaptureSysfs(rootedTree(await readArchive(path), path));
    readdirSync(path);
  } catch (error) {
    throw fileError(path, error);
  }
  return new CaptureSysfs(rootedTree(new DirectoryTree(path), path));
}

async function readArchive(path: string): Promise<FileTree> {
  const packed = await readFile(path);
  try {
    const tree = new MemoryTree();
    for (const { header, data } of await unpackTar(unpack(packed), { strict: true })) {
      const name = header.name.replace(/^(?:\.?\/)+/, '').replace(/\/+$/, '');
      if (name === '' || name === '.' || name.split('/').includes('..')) continue;
      const at = `/${name}`;
      if (header.type === 'directory') tree.add(at, { type: 'directory' });
      else if (header.type === 'symlink')
        tree.add(at, { type: 'link', target: header.linkname ?? '' });
      else
        tree.add(at, {
          type: 'file',
          mode: (header.mode ?? 0o444) & 0o777,
          data: data ?? new Uint8Array(),
        });
    }
    return tree;
  } catch (error) {
    throw new VfioError(
      'EINVAL',
      looksPacked(packed)
        ? `${path}: not a whole archive; was it cut short? Capture it again`
        : `${path}: neither a description nor a capture; descriptions end in .yaml or .json, captures are folders or .tar, .tar.gz, .tar.bz2`,
      { cause: error },
    );
  }
}

function unpack(packed: Uint8Array): Uint8Array {
  if (isGzip(packed)) return gunzipSync(packed);
  if (isBzip2(packed)) return bzip.decode(packed);
  return packed;
}

const isGzip = (bytes: Uint8Array) => bytes[0] === 0x1f && bytes[1] === 0x8b;
const isBzip2 = (bytes: Uint8Array) => bytes[0] === 0x42 && bytes[1] === 0x5a;
/** POSIX.1-1988, ustar: the magic of a header. */
const isTar = (bytes: Uint8Array) =>
  new TextDecoder('latin1').decode(bytes.subarray(257, 262)) === 'ustar';

const looksPacked = (bytes: Uint8Array) => isGzip(bytes) || isBzip2(bytes) || isTar(bytes);

/** The tree as seen from the captured machine's root: the folder that holds `sys`, or `/sys` itself mounted there. */
function rootedTree(tree: FileTree, path: string): FileTree {
  let level = [''];
  for (let depth = 0; depth <= MAX_DEPTH; depth += 1) {
    for (const folder of level) {
      if (exists(tree, `${folder}/sys/bus/pci`)) return new Subtree(tree, folder, '');
      if (exists(tree, `${folder}/bus/pci`)) return new Subtree(tree, folder, '/sys');
    }
    level = level.flatMap((folder) => {
      const names = tree.list(folder);
      return typeof names === 'number' ? [] : names.map((name) => `${folder}/${name}`);
    });
  }
  throw new VfioError(
    'EINVAL',
    `${path}: no PCI bus in it; a capture holds sys/bus/pci, or is a copy of /sys`,
  );
}

function exists(tree: FileTree, path: string): boolean {
  return typeof tree.lookUp(path) !== 'number';
}
