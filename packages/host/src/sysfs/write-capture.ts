import { mkdir, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Sysfs } from '@vfiokit/driver-model';
import { readText } from '@vfiokit/driver-model';
import { VfioError } from '@vfiokit/uapi';
import { packTar } from 'modern-tar';
import { fileError } from './system-errno.js';
import { BINDING_FILES, type WalkedEntry, walk } from './walk.js';
import { writeWhole } from './write-whole.js';

/** What was written, in numbers. */
export interface CaptureCount {
  readonly files: number;
  readonly links: number;
  readonly unreadable: number;
}

/** The module indexes of the running kernel, as far as a planner reads them. */
const INDEX_FILES = [
  'modules.alias',
  'modules.alias.bin',
  'modules.builtin',
  'modules.builtin.modinfo',
  'modules.order',
];

/**
 * Writes what binding touches of a machine as an archive that `--machine` takes: `.tar.gz`, or `.tar` by its name. What
 * exists and could not be read is listed in it, so that a reader can tell it from what is not there. The file is written
 * whole or not at all, over one that is there.
 *
 * @throws VfioError `ENODEV` for a machine without a PCI bus; what the file system answers.
 */
export async function writeCapture(sysfs: Sysfs, file: string): Promise<CaptureCount> {
  const entries: Parameters<typeof packTar>[0][number][] = [];
  const unreadable: string[] = [];
  let files = 0;
  let links = 0;
  for await (const one of capturedEntries(sysfs)) {
    const name = one.path.slice(1);
    if (one.type === 'directory')
      entries.push({ header: { name: `${name}/`, type: 'directory', size: 0, mode: 0o755 } });
    else if (one.type === 'link') {
      links += 1;
      entries.push({ header: { name, type: 'symlink', linkname: one.target, size: 0 } });
    } else if (one.type === 'file') {
      files += 1;
      entries.push({
        header: { name, type: 'file', size: one.data.length, mode: 0o444 },
        body: one.data,
      });
    } else unreadable.push(one.path);
  }
  // An empty file of no permission stands for one that is there: listings then show it.
  for (const path of unreadable)
    entries.push({ header: { name: path.slice(1), type: 'file', size: 0, mode: 0o200 } });
  const list = new TextEncoder().encode(unreadable.map((path) => `${path}\n`).join(''));
  entries.push({
    header: { name: 'unreadable.txt', type: 'file', size: list.length, mode: 0o444 },
    body: list,
  });
  const tar = await packTar(entries);
  await writeWhole(file, file.endsWith('.tar') ? tar : gzipSync(tar));
  return { files, links, unreadable: unreadable.length };
}

/**
 * Writes a machine's `/sys` as plain files, so that other tools can read it: `lspci -O sysfs.path=DIR/bus/pci`. Where it
 * fails nothing is left behind.
 *
 * @param folder one that is empty, or is not there in a folder that is.
 * @throws VfioError `ENOTEMPTY` for anything else; what the file system answers.
 */
export async function exportSysfs(sysfs: Sysfs, folder: string): Promise<CaptureCount> {
  const part = `${folder.replace(/\/+$/, '')}.${process.pid}.part`;
  try {
    if (!(await isFree(folder)))
      throw new VfioError(
        'ENOTEMPTY',
        `${folder}: something is there; name a folder that is empty, or that does not exist`,
      );
    await mkdir(part);
    try {
      const count = await writeTree(sysfs, part);
      await rename(part, folder);
      return count;
    } finally {
      await rm(part, { recursive: true, force: true });
    }
  } catch (cause) {
    throw fileError(folder, cause);
  }
}

async function isFree(folder: string): Promise<boolean> {
  const there = await stat(folder).catch(() => undefined);
  return there === undefined || (there.isDirectory() && (await readdir(folder)).length === 0);
}

async function writeTree(sysfs: Sysfs, folder: string): Promise<CaptureCount> {
  const count = { files: 0, links: 0, unreadable: 0 };
  const wanted = BINDING_FILES.filter((path) => path.startsWith('/sys/'));
  for await (const one of walk(sysfs, wanted)) {
    const place = join(folder, one.path.slice('/sys/'.length));
    await mkdir(one.type === 'directory' ? place : dirname(place), { recursive: true });
    if (one.type === 'link') {
      await symlink(one.target, place);
      count.links += 1;
    } else if (one.type === 'file') {
      await writeFile(place, one.data);
      count.files += 1;
    } else if (one.type === 'unreadable') count.unreadable += 1;
  }
  return count;
}

async function* capturedEntries(sysfs: Sysfs): AsyncGenerator<WalkedEntry> {
  if (typeof (await sysfs.list('/sys/bus/pci/devices')) === 'number')
    throw new VfioError('ENODEV', '/sys/bus/pci: there is none; capture a machine that has PCI');
  yield* walk(sysfs);
  const release = await readText(sysfs, '/proc/sys/kernel/osrelease');
  if (typeof release === 'string')
    yield* walk(
      sysfs,
      INDEX_FILES.map((name) => `/lib/modules/${release.trim()}/${name}`),
    );
}
