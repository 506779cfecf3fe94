import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { VfioError } from '@vfiokit/uapi';
import { fileError } from './file-error.js';

/** Keeps transactions on one machine from interleaving. */
export interface HostLock {
  /** Takes the lock; disposing of what it returns gives it back. @throws VfioError `EBUSY` if somebody has it. */
  acquire(): Promise<AsyncDisposable>;
}

/** A lock within one process: whoever comes second waits. */
export class MemoryLock implements HostLock {
  #tail: Promise<void> = Promise.resolve();

  async acquire(): Promise<AsyncDisposable> {
    const before = this.#tail;
    let free = () => {};
    this.#tail = new Promise((resolve) => {
      free = resolve;
    });
    await before;
    return { [Symbol.asyncDispose]: async () => free() };
  }
}

/** Who holds a lock: a number may be used again, the time at which its process began is not. */
interface Owner {
  readonly pid: number;
  readonly started: string;
}

/** A lock as a file: one for each machine. One whose process has ended is taken over. */
export class FileLock implements HostLock {
  readonly #path: string;

  constructor(private readonly folder: string) {
    this.#path = join(folder, 'lock');
  }

  async acquire(): Promise<AsyncDisposable> {
    try {
      return await this.#acquire();
    } catch (error) {
      throw fileError(this.folder, error);
    }
  }

  async #acquire(): Promise<AsyncDisposable> {
    await mkdir(this.folder, { recursive: true });
    const me: Owner = { pid: process.pid, started: (await startTime(process.pid)) ?? '' };
    const own = `${this.#path}.${process.pid}`;
    const text = JSON.stringify(me);
    // Written first and linked then: whoever sees the lock sees its owner.
    await writeFile(own, text);
    try {
      for (let attempt = 0; attempt < 3; attempt += 1) {
        if (await succeeds(link(own, this.#path), 'EEXIST'))
          return { [Symbol.asyncDispose]: () => this.#release(text) };
        const held = await readIfThere(this.#path);
        if (held === undefined) continue;
        const owner = ownerOf(held);
        if (owner !== undefined && (await startTime(owner.pid)) === owner.started)
          throw new VfioError(
            'EBUSY',
            `${this.#path}: process ${owner.pid} is changing this machine; wait for it`,
          );
        await this.#takeOver(held);
      }
    } finally {
      await rm(own, { force: true });
    }
    throw new VfioError('EBUSY', `${this.#path}: others keep taking the lock; try again`);
  }

  /** Moves a lock of the dead away. If it has become somebody's meanwhile it is put back. */
  async #takeOver(stale: string): Promise<void> {
    const moved = `${this.#path}.${process.pid}.stale`;
    if (!(await succeeds(rename(this.#path, moved), 'ENOENT'))) return;
    if ((await readIfThere(moved)) !== stale) await succeeds(link(moved, this.#path), 'EEXIST');
    await rm(moved, { force: true });
  }

  async #release(text: string): Promise<void> {
    if ((await readIfThere(this.#path)) === text) await rm(this.#path, { force: true });
  }
}

/** What a lock says of its owner; undefined for one that says nothing. */
function ownerOf(text: string): Owner | undefined {
  try {
    return JSON.parse(text) as Owner;
  } catch {
    // Not written by this program, or cut short by a crash of the machine: nobody holds it.
    return undefined;
  }
}

/** Whether a file operation went well; false for the one error that is expected. */
async function succeeds(operation: Promise<void>, expected: string): Promise<boolean> {
  try {
    await operation;
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === expected) return false;
    throw error;
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Field 22 of /proc/PID/stat; undefined if there is no such process. */
async function startTime(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
