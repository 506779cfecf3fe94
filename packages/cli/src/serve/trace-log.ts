import { createWriteStream, openSync, type WriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { formatMessage, type Trace } from '@vfiokit/vfio-user';
import { UsageError } from '../command.js';

/** A file with a line for every message of the served devices. */
export class TraceLog {
  #failed = false;

  private constructor(private readonly stream: WriteStream) {}

  /**
   * Opens a log, empty.
   *
   * @param warn told once if the log can't go on, for want of room; the devices are served all the same.
   * @throws UsageError where the file can't be written.
   */
  static open(path: string, warn: (message: string) => void): TraceLog {
    let fd: number;
    try {
      fd = openSync(path, 'w');
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new UsageError(`--trace ${path}: can't be written: ${code}; name another file`);
    }
    const log = new TraceLog(createWriteStream(path, { fd }));
    log.stream.on('error', ({ message }) => {
      if (!log.#failed) warn(`--trace ${path}: nothing more is logged: ${message}`);
      log.#failed = true;
    });
    return log;
  }

  /** Logs the messages of one device. */
  of(device: string): Trace {
    return (direction, message, fds) => {
      if (!this.#failed) this.stream.write(`${device} ${formatMessage(direction, message, fds)}\n`);
    };
  }

  /** Resolves when everything is in the file, or is known not to be. */
  async close(): Promise<void> {
    this.stream.end();
    await finished(this.stream).catch(() => {});
  }
}
