import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { VfioError } from '@vfiokit/uapi';

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
    await mkdir(this.folder, { recursive: true });
    const me: Owner = { pid: process.pid, started: (await startTime(process.pid)) ?? '' };
    for (let attempt = 0; attempt < 3; attempt += 1) {
      try {
        const file = await open(this.#path, 'wx');
        await file.writeFile(JSON.stringify(me));
        await file.close();
        return { [Symbol.asyncDispose]: () => rm(this.#path, { force: true }) };
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      }
      const owner = await this.#owner();
      if (owner !== undefined && (await startTime(owner.pid)) === owner.started)
        throw new VfioError(
          'EBUSY',
          `${this.#path}: process ${owner.pid} is changing this machine; wait for it`,
        );
      // Moved away rather than removed: of two that take over, the rename of one fails.
      const stale = `${this.#path}.${process.pid}.stale`;
      await rename(this.#path, stale).catch(() => undefined);
      await rm(stale, { force: true });
    }
    throw new VfioError('EBUSY', `${this.#path}: others keep taking the lock; try again`);
  }

  async #owner(): Promise<Owner | undefined> {
    try {
      return JSON.parse(await readFile(this.#path, 'utf8')) as Owner;
    } catch {
      // Gone meanwhile, or its writer died before the first byte: nobody holds it.
      return undefined;
    }
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
