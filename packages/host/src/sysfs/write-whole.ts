import { lstat, rename, rm, writeFile } from 'node:fs/promises';
import { fileError } from './system-errno.js';

/**
 * Writes a file: all of it, or none. What was there stays until the new one is whole; what is no plain file, such as
 * `/dev/stdout`, is written as it is.
 *
 * @throws VfioError what the file system answers, with the file's name.
 */
export async function writeWhole(path: string, data: string | Uint8Array): Promise<void> {
  try {
    if (!(await isReplaceable(path))) {
      await writeFile(path, data);
      return;
    }
    const part = `${path}.${process.pid}.part`;
    try {
      await writeFile(part, data);
      await rename(part, path);
    } finally {
      await rm(part, { force: true });
    }
  } catch (cause) {
    throw fileError(path, cause);
  }
}

/** Whether nothing is there, or a plain file. A link is written through, and a directory refused by the write itself. */
async function isReplaceable(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isFile();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return true;
    throw error;
  }
}
