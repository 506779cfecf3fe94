import pc from 'picocolors';

/** Colours, or none of them, in text for people. */
export type Palette = Readonly<
  Record<
    'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'blue' | 'magenta' | 'cyan',
    (text: string) => string
  >
>;

/** Where a command writes: results to standard output, messages and progress to standard error. */
export interface Io {
  /** Writes a line of the result. */
  print(line?: string): void;
  /** Writes a message; it starts with its subject. */
  warn(message: string): void;
  /** Shows how far long work is, in place, if somebody watches; nothing clears it. */
  progress(message?: string): void;
  /** Writes the one document of `--json`. */
  json(document: unknown): void;
  /** Columns of the terminal; where there is none `COLUMNS`, or 100. */
  readonly columns: number;
  readonly colors: Palette;
}

const DEFAULT_COLUMNS = 100;
/** Narrower ones hold no table. */
const MIN_COLUMNS = 40;

/** Columns of a terminal, or those that the environment gives to what is none. */
function columnsOf(terminal: number | undefined, environment = process.env.COLUMNS): number {
  if (terminal !== undefined && terminal > 0) return Math.max(terminal, MIN_COLUMNS);
  const wanted = Number(environment);
  return Number.isInteger(wanted) && wanted > 0 ? Math.max(wanted, MIN_COLUMNS) : DEFAULT_COLUMNS;
}

/** The process's own streams: colours only on a terminal, progress only to one. */
export function processIo(): Io {
  const { stdout, stderr } = process;
  const colors = pc.createColors(stdout.isTTY === true && pc.isColorSupported);
  let showing = false;
  const clear = () => {
    if (showing) stderr.write('\r\x1b[K');
    showing = false;
  };
  return {
    print(line = '') {
      clear();
      stdout.write(`${line}\n`);
    },
    warn(message) {
      clear();
      stderr.write(`${message}\n`);
    },
    progress(message) {
      if (stderr.isTTY !== true) return;
      clear();
      if (message === undefined) return;
      stderr.write(message.slice(0, (stderr.columns ?? DEFAULT_COLUMNS) - 1));
      showing = true;
    },
    json(document) {
      clear();
      stdout.write(
        `${JSON.stringify(document, (_, value) => (typeof value === 'bigint' ? `0x${value.toString(16)}` : value), 2)}\n`,
      );
    },
    columns: columnsOf(stdout.columns),
    colors,
  };
}

/** What was written, kept apart: for tests and for whoever calls a command from code. */
export interface CapturedIo extends Io {
  readonly out: string[];
  readonly err: string[];
}

export function captureIo(columns = DEFAULT_COLUMNS): CapturedIo {
  const out: string[] = [];
  const err: string[] = [];
  return {
    out,
    err,
    print: (line = '') => out.push(line),
    warn: (message) => err.push(message),
    progress() {},
    json: (document) =>
      out.push(
        JSON.stringify(
          document,
          (_, value) => (typeof value === 'bigint' ? `0x${value.toString(16)}` : value),
          2,
        ),
      ),
    columns,
    colors: pc.createColors(false),
  };
}
