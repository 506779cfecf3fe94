import { spawn } from 'node:child_process';
import { constants, statfsSync } from 'node:fs';
import { open, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Sysfs } from '@vfiokit/driver-model';
import { EIO, EROFS } from '@vfiokit/uapi';
import { errnoOf } from './system-errno.js';

/** What statfs(2) says of sysfs (include/uapi/linux/magic.h: SYSFS_MAGIC). */
const SYSFS_MAGIC = 0x62656572;

/** Stores that may wait for a device's user: they are made by a process of their own. */
const BLOCKING = /\/(?:unbind|remove|sriov_numvfs)$/;

/** Writes argv[2] to argv[1] in one write(2) and tells the errno; runs on after its parent was killed. */
const WRITER = `
const fs = require('node:fs');
try {
  const fd = fs.openSync(process.argv[1], fs.constants.O_WRONLY);
  process.exitCode = fs.writeSync(fd, process.argv[2]) === process.argv[2].length ? 0 : 5;
} catch (error) {
  process.exitCode = Math.abs(error.errno) || 5;
}`;

/**
 * The running kernel's files. Writes go to a tree only if its `/sys` is a sysfs; a copy of one has no kernel behind it
 * and answers `-EROFS`.
 */
export class LiveSysfs implements Sysfs {
  readonly kind = 'live';

  /** @param root where the machine's root is seen, such as `/host` in a container. */
  constructor(private readonly root = '/') {}

  async read(path: string): Promise<Uint8Array | number> {
    try {
      return await readFile(join(this.root, path));
    } catch (error) {
      return errnoOf(error);
    }
  }

  /** Opens write-only, with no other flag: creating would turn a missing attribute into a matter of permission. */
  async write(path: string, data: string | Uint8Array): Promise<number> {
    if (!this.#isSysfs()) return -EROFS;
    const place = join(this.root, path);
    if (BLOCKING.test(path)) return this.#writeApart(place, Buffer.from(data).toString());
    try {
      const file = await open(place, constants.O_WRONLY);
      try {
        const { bytesWritten } = await file.write(Buffer.from(data));
        return bytesWritten;
      } finally {
        await file.close();
      }
    } catch (error) {
      return errnoOf(error);
    }
  }

  async list(path: string): Promise<readonly string[] | number> {
    try {
      return await readdir(join(this.root, path));
    } catch (error) {
      return errnoOf(error);
    }
  }

  async readLink(path: string): Promise<string | number> {
    try {
      return await readlink(join(this.root, path));
    } catch (error) {
      return errnoOf(error);
    }
  }

  #isSysfs(): boolean {
    try {
      return statfsSync(join(this.root, 'sys')).type === SYSFS_MAGIC;
    } catch (error) {
      errnoOf(error);
      return false;
    }
  }

  async #writeApart(place: string, text: string): Promise<number> {
    // Detached: a write that waits for a device's user cannot be called back, and killing the caller must not seem to.
    const child = spawn(process.execPath, ['-e', WRITER, place, text], {
      detached: true,
      stdio: 'ignore',
    });
    const code = await new Promise<number | null>((resolve) => {
      child.once('error', () => resolve(EIO));
      child.once('exit', resolve);
    });
    return code === 0 ? text.length : -(code ?? EIO);
  }
}
