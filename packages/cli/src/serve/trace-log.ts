import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { formatMessage, type Trace } from '@vfiokit/vfio-user';
import { UsageError } from '../command.js';

/** Text that waits for the end of a turn of the event loop, at most. */
const BATCH = 1 << 16;
const { O_WRONLY, O_CREAT, O_TRUNC, O_APPEND } = constants;

/**
 * A file with a line for every message of the served devices. Lines are written before the event loop goes on, so that a
 * client that is faster than the disk waits for it, and appended, so that whoever rotates the file may copy and truncate it.
 */
export class TraceLog implements Disposable {
  #lines: string[] = [];
  #length = 0;
  #open = true;

  private constructor(
    private readonly path: string,
    private readonly fd: number,
    private readonly warn: (message: string) => void,
  ) {}

  /**
   * Opens a log, empty.
   *
   * @param warn told once if the log can't go on, for want of room; the devices are served all the same.
   * @throws UsageError where the file can't be written.
   */
  static open(path: string, warn: (message: string) => void): TraceLog {
    try {
      const fd = openSync(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0o666);
      return new TraceLog(path, fd, warn);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new UsageError(`--trace ${path}: can't be written: ${code}; name another file`);
    }
  }

  /** Logs the messages of one device. */
  of(device: string): Trace {
    return (direction, message, fds) => {
      if (!this.#open) return;
      if (this.#lines.length === 0) setImmediate(() => this.#flush());
      const line = `${device} ${formatMessage(direction, message, fds)}\n`;
      this.#lines.push(line);
      this.#length += line.length;
      if (this.#length > BATCH) this.#flush();
    };
  }

  /** Writes what there is and closes the file. */
  [Symbol.dispose](): void {
    this.#flush();
    if (this.#open) this.#close();
  }

  #flush(): void {
    if (!this.#open) return;
    const text = this.#lines.join('');
    this.#lines = [];
    this.#length = 0;
    try {
      for (let left = Buffer.from(text); left.length > 0; )
        left = left.subarray(writeSync(this.fd, left));
    } catch (error) {
      this.#close();
      this.warn(`--trace ${this.path}: nothing more is logged: ${(error as Error).message}`);
    }
  }

  #close(): void {
    this.#open = false;
    closeSync(this.fd);
  }
}
