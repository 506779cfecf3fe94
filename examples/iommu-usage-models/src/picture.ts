import { BUFFERS } from './guests.js';
import type { Outcome } from './outcome.js';

/** Columns of one picture; two stand side by side. */
const WIDTH = 49;
const INSIDE = WIDTH - 4;
const LABEL = 10;
const MIB = 2 ** 20;

/** `8 MiB`, `64 KiB`, `nothing` */
export function bytes(value: number): string {
  if (value === 0) return 'nothing';
  return value < MIB ? `${value / 1024} KiB` : `${Math.round(value / MIB)} MiB`;
}

/** One guest in a frame: its devices, what their DMA goes through, who shares it and why, and what it costs. */
export function panel(title: string, outcome: Outcome): readonly string[] {
  const { model, kind, wiring, spaces, maps, locked } = outcome;
  const [before, after] = locked;
  const reach = spaces.map((space) => `${space.groups.join(', ')}: ${bytes(space.reach)}`);
  const host = maps === 0 ? 'no map' : `${maps / BUFFERS} map${maps === BUFFERS ? '' : 's'}`;
  const rows = [
    `policy ${model.name} on mechanism ${kind}`,
    '',
    ...sharing(outcome),
    '',
    ...labelled('shared by', model.sharedBy),
    ...labelled('filled by', model.filledBy),
    ...labelled('a buffer', `the guest ${wiring.step};`),
    ...labelled('', `${host} on the host`),
    ...labelled('reach', reach.join('; ')),
    ...labelled(
      'locked',
      before === after ? bytes(after) : `${bytes(before)}, then ${bytes(after)}`,
    ),
  ];
  const head = `┌─ ${title} `;
  return [
    `${head}${'─'.repeat(WIDTH - head.length - 1)}┐`,
    ...rows.map((row) => `│ ${row.padEnd(INSIDE)} │`),
  ];
}

/** Pictures beside each other, made equally high. */
export function sideBySide(left: readonly string[], right: readonly string[]): readonly string[] {
  const height = Math.max(left.length, right.length);
  const empty = `│ ${' '.repeat(INSIDE)} │`;
  const foot = `└${'─'.repeat(WIDTH - 2)}┘`;
  const rows = Array.from(
    { length: height },
    (_, i) => `${left[i] ?? empty}  ${right[i] ?? empty}`,
  );
  return [...rows, `${foot}  ${foot}`];
}

/** Groups on the left, joined where they share; then what they share in the guest, and on the host. */
function sharing({ spaces }: Outcome): readonly string[] {
  const width = Math.max(...spaces.flatMap(({ groups }) => groups.map((name) => name.length)));
  const keys = Math.max(...spaces.map(({ key }) => key.length));
  return spaces.flatMap(({ groups, key, label }) =>
    groups.map((group, i) => {
      const line = `${group} `.padEnd(width + 3, '─');
      if (i < groups.length - 1) return `${line}${i === 0 ? '┐' : '┤'}`;
      return `${line}${i === 0 ? '─' : '┴'}── ${`${key} `.padEnd(keys + 1, '─')}── ${label}`;
    }),
  );
}

function labelled(label: string, text: string): readonly string[] {
  const lines = wrap(text, INSIDE - LABEL);
  return lines.map((line, i) => `${(i === 0 ? label : '').padEnd(LABEL)}${line}`);
}

/** Lines of a text of at most so many columns. */
function wrap(text: string, columns: number): readonly string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1)} ${word}`.trimStart();
    if (longer.length <= columns) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
