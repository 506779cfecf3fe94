/** How urgent a line of the kernel's log is. */
export type LogLevel = 'debug' | 'info' | 'warning' | 'error';

/** One message in the kernel's log. */
export interface LogLine {
  readonly level: LogLevel;
  /** The device or driver that the line is about. */
  readonly subject: string;
  readonly text: string;
}

/** What dmesg would show, oldest line first. */
export class KernelLog {
  readonly #lines: LogLine[] = [];

  get lines(): readonly LogLine[] {
    return this.#lines;
  }

  write(level: LogLevel, subject: string, text: string): void {
    this.#lines.push({ level, subject, text });
  }
}
