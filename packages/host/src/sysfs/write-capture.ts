import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Sysfs } from '@vfiokit/driver-model';
import { readText } from '@vfiokit/driver-model';
import { VfioError } from '@vfiokit/uapi';
import { packTar } from 'modern-tar';
import { BINDING_FILES, type WalkedEntry, walk } from './walk.js';

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
 * exists and could not be read is listed in it, so that a reader can tell it from what is not there.
 *
 * @throws VfioError `ENODEV` for a machine without a PCI bus, `EIO` if the file can't be written.
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
  try {
    await writeFile(file, file.endsWith('.tar') ? tar : gzipSync(tar));
  } catch (cause) {
    throw new VfioError('EIO', `${file}: can't be written`, { cause });
  }
  return { files, links, unreadable: unreadable.length };
}

/** Writes a machine's `/sys` as plain files, so that other tools can read it: `lspci -O sysfs.path=DIR/bus/pci`. */
export async function exportSysfs(sysfs: Sysfs, folder: string): Promise<CaptureCount> {
  const count = { files: 0, links: 0, unreadable: 0 };
  try {
    for await (const one of walk(
      sysfs,
      BINDING_FILES.filter((path) => path.startsWith('/sys/')),
    )) {
      const place = join(folder, one.path.slice('/sys/'.length));
      if (one.type === 'directory') await mkdir(place, { recursive: true });
      else {
        await mkdir(dirname(place), { recursive: true });
        if (one.type === 'link') {
          await symlink(one.target, place);
          count.links += 1;
        } else if (one.type === 'file') {
          await writeFile(place, one.data);
          count.files += 1;
        } else count.unreadable += 1;
      }
    }
  } catch (cause) {
    throw new VfioError(
      'EIO',
      `${folder}: the tree can't be written there; name a folder that does not exist`,
      { cause },
    );
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
