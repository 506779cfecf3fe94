import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { LiveSysfs } from '@vfiokit/host';

/**
 * The files of a machine in a directory, read as those of the running one are: a text, a link as `-> target`, or an empty
 * directory as `/`.
 */
export function fakeRoot(files: Readonly<Record<string, string>>): Disposable & {
  readonly sysfs: LiveSysfs;
  add(more: Readonly<Record<string, string>>): void;
  remove(path: string): void;
} {
  const root = mkdtempSync(join(tmpdir(), 'vfiokit-'));
  const add = (more: Readonly<Record<string, string>>) => {
    for (const [path, content] of Object.entries(more)) {
      const place = join(root, path);
      mkdirSync(content === '/' ? place : dirname(place), { recursive: true });
      if (content.startsWith('-> ')) symlinkSync(content.slice(3), place);
      else if (content !== '/') writeFileSync(place, content);
    }
  };
  add(files);
  return {
    sysfs: new LiveSysfs(root),
    add,
    remove: (path) => rmSync(join(root, path), { recursive: true }),
    [Symbol.dispose]: () => rmSync(root, { recursive: true }),
  };
}
