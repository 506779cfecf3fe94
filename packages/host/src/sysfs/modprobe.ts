import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Loads modules of the running kernel with `modprobe -b`, which honours blacklists for names too. */
export const MODPROBE = {
  async load(
    module: string,
  ): Promise<{ readonly errno: number; readonly message: string } | undefined> {
    try {
      await run('modprobe', ['-b', module]);
      return undefined;
    } catch (error) {
      const text = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
      return { errno: -1, message: text || `modprobe ${module} failed; is kmod installed?` };
    }
  },
};
