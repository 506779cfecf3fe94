import { mkdir, open, readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { VfioError } from '@vfiokit/uapi';
import { fileError } from './file-error.js';
import type { JournalStore } from './journal.js';

const SUFFIX = '.journal';

/** Journals as files of a folder, such as `/run/vfiokit`: one line a step, each on the disk before the call returns. */
export class FileJournal implements JournalStore {
  constructor(private readonly folder: string) {}

  /** Written apart, then renamed, then the folder synced: there is the whole first line or no journal. */
  async create(id: string, line: string): Promise<void> {
    try {
      await mkdir(this.folder, { recursive: true });
      const part = join(this.folder, `${id}.part`);
      await writeDurably(part, `${line}\n`, 'w');
      await rename(part, this.#path(id));
      await this.#syncFolder();
    } catch (cause) {
      throw new VfioError('EIO', `${this.folder}: the journal can't be written; nothing was done`, {
        cause,
      });
    }
  }

  async append(id: string, line: string): Promise<void> {
    try {
      await writeDurably(this.#path(id), `${line}\n`, 'a');
    } catch (cause) {
      throw new VfioError(
        'EIO',
        `${this.#path(id)}: can't be continued, and the transaction ends here; recover takes back what it has done`,
        { cause },
      );
    }
  }

  async read(id: string): Promise<string> {
    try {
      return await readFile(this.#path(id), 'utf8');
    } catch (error) {
      throw fileError(this.#path(id), error);
    }
  }

  async list(): Promise<readonly string[]> {
    try {
      const names = await readdir(this.folder);
      return names
        .filter((name) => name.endsWith(SUFFIX))
        .map((name) => name.slice(0, -SUFFIX.length))
        .sort();
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
      throw fileError(this.folder, error);
    }
  }

  async archive(id: string): Promise<void> {
    const history = join(this.folder, 'history');
    try {
      await mkdir(history, { recursive: true });
      await rename(this.#path(id), join(history, `${id}${SUFFIX}`));
      await this.#syncFolder();
    } catch (cause) {
      throw fileError(this.#path(id), cause);
    }
  }

  #path(id: string): string {
    return join(this.folder, `${id}${SUFFIX}`);
  }

  async #syncFolder(): Promise<void> {
    const folder = await open(this.folder, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }
}

async function writeDurably(path: string, text: string, flags: 'w' | 'a'): Promise<void> {
  const file = await open(path, flags);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}
