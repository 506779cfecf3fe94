import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportSysfs, LiveSysfs, writeWhole } from '@vfiokit/host';
import { afterAll, describe, expect, test } from 'vitest';

const scratch = mkdtempSync(join(tmpdir(), 'vfiokit-write-'));
afterAll(() => rmSync(scratch, { recursive: true }));

describe('a file that is written whole', () => {
  test('replaces one that is there, and leaves nothing beside it', async () => {
    const folder = join(scratch, 'replaced');
    mkdirSync(folder);
    writeFileSync(join(folder, 'file'), 'old and long');
    await writeWhole(join(folder, 'file'), 'new');
    expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('new');
    expect(readdirSync(folder)).toEqual(['file']);
  });

  test('is written through a link, which stays one', async () => {
    const folder = join(scratch, 'linked');
    mkdirSync(folder);
    symlinkSync('target', join(folder, 'link'));
    await writeWhole(join(folder, 'link'), 'text');
    expect(readFileSync(join(folder, 'target'), 'utf8')).toBe('text');
    expect(readdirSync(folder).sort()).toEqual(['link', 'target']);
  });

  test.each([
    ['a folder', () => scratch, 'EISDIR', 'is a directory; name a file'],
    [
      'a folder that is not there',
      () => join(scratch, 'no', 'file'),
      'ENOENT',
      'no such file or folder',
    ],
    ['a device that is full', () => '/dev/full', 'ENOSPC', 'no space left'],
  ])('fails with its name and the reason for %s', async (_, path, code, reason) => {
    await expect(writeWhole(path(), 'text')).rejects.toMatchObject({
      code,
      message: `${path()}: ${reason}`,
    });
  });
});

describe('an exported tree', () => {
  const root = join(scratch, 'machine');
  const device = 'sys/bus/pci/devices/0000:00:02.0';
  mkdirSync(join(root, device), { recursive: true });
  writeFileSync(join(root, device, 'vendor'), '0x8086\n');

  test('fills a folder that is empty, or is made', async () => {
    const folder = join(scratch, 'tree');
    for (const prepare of [() => {}, () => mkdirSync(folder)]) {
      prepare();
      expect(await exportSysfs(new LiveSysfs(root), folder)).toMatchObject({ files: 1 });
      expect(readFileSync(join(folder, device.slice('sys/'.length), 'vendor'), 'utf8')).toBe(
        '0x8086\n',
      );
      rmSync(folder, { recursive: true });
    }
  });

  test('does not mix with what is there, and leaves nothing where it fails', async () => {
    const folder = join(scratch, 'full');
    mkdirSync(folder);
    writeFileSync(join(folder, 'mine'), '');
    await expect(exportSysfs(new LiveSysfs(root), folder)).rejects.toMatchObject({
      code: 'ENOTEMPTY',
      message: `${folder}: something is there; name a folder that is empty, or that does not exist`,
    });
    expect(readdirSync(folder)).toEqual(['mine']);
    await expect(exportSysfs(new LiveSysfs(root), join(folder, 'mine'))).rejects.toMatchObject({
      code: 'ENOTEMPTY',
    });
    await expect(
      exportSysfs(new LiveSysfs(root), join(scratch, 'no', 'tree')),
    ).rejects.toMatchObject({
      code: 'ENOENT',
    });
    expect(readdirSync(scratch).filter((name) => name.includes('.part'))).toEqual([]);
  });
});
