import { describeOperation } from '../trace/describe.js';
import { OPERATION_CLASSES, type OperationClass } from '../trace/operation-class.js';
import type { Difference } from './difference.js';
import { type Count, played, type Tally } from './tally.js';

const LABELS = ['', 'recorded', 'model'] as const;

/** Lines that show a difference: what was done, and recorded and modelled outcome beside each other. */
export function renderDifference({ path, section, op, mismatches }: Difference): string[] {
  const head = `${path} seq ${op.seq} [${section}] ${describeOperation(op)}`;
  const rows = mismatches.map(({ aspect, dev, recorded, model, offsets }) => [
    dev === undefined || dev === 0 ? aspect : `${aspect}${dev}`,
    ...[recorded, model].map((text) => excerpt(text, aspect === 'out' ? offsets : undefined)),
  ]);
  const widths = [0, 1].map((column) =>
    Math.max(LABELS[column]!.length, ...rows.map((row) => row[column]!.length)),
  );
  const line = (cells: readonly string[]) =>
    `    ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}`.trimEnd();
  return [head, line(LABELS), ...rows.map(line)];
}

const SHOWN_BYTES = 24;

/** Long hex around the first byte that differs. */
function excerpt(text: string, offsets: readonly number[] | undefined): string {
  const first = text.split('\n').slice(0, 6).join('\n');
  if (offsets === undefined) return first;
  if (text === '') return '(unchanged)';
  if (text.length <= 2 * SHOWN_BYTES) return text;
  const from = Math.max(0, offsets[0]! - 4);
  return `@0x${from.toString(16)}: ${text.slice(2 * from, 2 * (from + SHOWN_BYTES))}…`;
}

/** Counts by class, for those classes that occurred. */
export function classCounts(tally: Tally): readonly (readonly [OperationClass, Readonly<Count>])[] {
  return (Object.keys(OPERATION_CLASSES) as OperationClass[])
    .map((name) => [name, tally.count(name)] as const)
    .filter(([, count]) => played(count) > 0);
}
