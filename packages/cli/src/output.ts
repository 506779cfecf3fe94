/** Escape sequences of colours, which take no column. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence begins with one.
const ESCAPES = /\x1b\[[0-9;]*m/g;

/** Columns that a text takes on a terminal. */
export function width(text: string): number {
  return text.replace(ESCAPES, '').length;
}

/** Fills a text up with blanks. */
export function pad(text: string, columns: number, align: 'left' | 'right' = 'left'): string {
  const blanks = ' '.repeat(Math.max(0, columns - width(text)));
  return align === 'left' ? text + blanks : blanks + text;
}

export interface TableOptions {
  /** The first line. */
  readonly header?: readonly string[];
  /** By column; left where nothing is said. */
  readonly align?: readonly ('left' | 'right' | undefined)[];
  /** In front of every line. */
  readonly indent?: string;
}

/** Lines of columns that stand under each other. */
export function table(
  rows: readonly (readonly string[])[],
  { header, align = [], indent = '' }: TableOptions = {},
): string[] {
  const all = header === undefined ? rows : [header, ...rows];
  const columns: number[] = [];
  for (const row of all)
    for (const [i, cell] of row.entries()) columns[i] = Math.max(columns[i] ?? 0, width(cell));
  return all.map((row) =>
    (indent + row.map((cell, i) => pad(cell, columns[i]!, align[i])).join('  ')).trimEnd(),
  );
}

/** A thing with things under it. */
export interface TreeNode {
  readonly label: string;
  readonly children?: readonly TreeNode[];
}

export interface TreeOptions {
  /** Lines that any terminal can draw. */
  readonly ascii?: boolean;
}

/** Draws a tree, one line a node; the root has no branch in front. */
export function tree(root: TreeNode, { ascii = false }: TreeOptions = {}): string[] {
  const [tee, corner, bar] = ascii ? ['|-- ', '`-- ', '|   '] : ['├── ', '└── ', '│   '];
  const below = (nodes: readonly TreeNode[], prefix: string): string[] =>
    nodes.flatMap((node, i) => {
      const last = i === nodes.length - 1;
      return [
        prefix + (last ? corner : tee) + node.label,
        ...below(node.children ?? [], prefix + (last ? '    ' : bar)),
      ];
    });
  return [root.label, ...below(root.children ?? [], '')];
}

/** A number in hex with at least so many digits: `0x00a8`. */
export function hex(value: number | bigint, digits = 0): string {
  return `0x${value.toString(16).padStart(digits, '0')}`;
}

/** Bytes as a person counts them: `128 KiB`, exact or with one decimal. */
export function size(bytes: number | bigint): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
  let value = Number(bytes);
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${units[unit]}`;
}

/** A count with thousands separated: `699,106`. */
export function count(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** A part of a whole in percent, never rounded up to 100: `99.98 %`. */
export function percent(part: number, whole: number): string {
  if (whole === 0) return '0 %';
  if (part === whole) return '100 %';
  const hundredths = Math.min(9999, Math.floor((part / whole) * 10_000));
  return `${(hundredths / 100).toFixed(2)} %`;
}

/** `1 file`, `2 files`. */
export function plural(value: number, noun: string, many = `${noun}s`): string {
  return `${count(value)} ${value === 1 ? noun : many}`;
}
