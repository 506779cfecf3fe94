import {
  classCounts,
  EXPLANATIONS,
  OPERATION_CLASSES,
  played,
  Replayer,
  readTrace,
  renderDifference,
  Tally,
} from '@vfiokit/replay';
import type { Io } from '../io.js';
import { count, percent, plural, table } from '../output.js';

/** What became of one trace. */
export interface FileResult {
  readonly file: string;
  readonly tally: Tally;
  /** Lines whose operation is not known, by its name. */
  readonly unknown: ReadonlyMap<string, number>;
  /** Facts about hardware that were taken from the trace. */
  readonly learned: number;
  readonly seconds: number;
}

/** Everything that was played, and what could not be. */
export interface Results {
  readonly files: readonly FileResult[];
  readonly total: Tally;
  /** Why a file could not be played; each starts with its name. */
  readonly broken: readonly string[];
}

/** Plays one trace; throws VfioError for one that is broken. */
export async function playFile(file: string, keep: number): Promise<FileResult> {
  const start = performance.now();
  const trace = await readTrace(file);
  const tally = new Tally(keep);
  const replayer = new Replayer(trace, tally);
  replayer.run();
  return {
    file,
    tally,
    unknown: trace.unknown,
    learned: replayer.machine.learned,
    seconds: (performance.now() - start) / 1000,
  };
}

/** Differences, then counts, and the verdict in the last line. */
export function printResults(io: Io, { files, total, broken }: Results): void {
  const { bold, green, red, yellow, dim } = io.colors;
  for (const { file, tally } of files) {
    const all = tally.total();
    if (files.length > 1 && all.differing > 0)
      io.print(`${file}: ${red(`${count(all.differing)} differ`)} of ${count(played(all))}`);
  }
  for (const difference of total.differences) {
    const [head = '', ...rest] = renderDifference(difference);
    for (const line of ['', bold(head), ...rest]) io.print(line);
  }
  if (total.differences.length > 0) io.print();
  for (const line of countLines(total, io)) io.print(line);
  for (const [id, times] of total.explanations) {
    const rule = EXPLANATIONS.find((other) => other.id === id);
    io.print(`${yellow('explained')} ${count(times)} × ${id}: ${rule?.reason ?? ''}`);
  }
  for (const { file, unknown } of files)
    for (const [op, times] of unknown)
      io.warn(`${file}: op "${op}" is not known here; skipped ${plural(times, 'line')}`);
  const sum = total.total();
  const seconds = files.reduce((all, result) => all + result.seconds, 0);
  const learned = files.reduce((all, result) => all + result.learned, 0);
  io.print(
    dim(
      `${plural(files.length, 'trace')}; ${plural(learned, 'fact')} about hardware taken from them; ${count(Math.round(played(sum) / Math.max(seconds, 1e-3)))} operations a second`,
    ),
  );
  if (broken.length > 0) io.print(red(`${plural(broken.length, 'file')} could not be played`));
  if (sum.explained > 0)
    io.print(
      sum.differing === 0
        ? `all but the ${count(sum.explained)} explained ones match`
        : `${count(sum.explained)} are explained, ${count(sum.differing)} are not`,
    );
  const line = `replay: ${sum.matched} of ${played(sum)} operations match (${percent(sum.matched, played(sum))})`;
  const fine = sum.differing === 0 && broken.length === 0;
  io.print(fine ? green(line) : red(line));
}

function countLines(total: Tally, { colors: { dim, yellow, red } }: Io): string[] {
  const cells = (name: string, value: ReturnType<Tally['total']>) => [
    name,
    count(played(value)),
    count(value.matched),
    value.explained === 0 ? dim('-') : yellow(count(value.explained)),
    value.differing === 0 ? dim('-') : red(count(value.differing)),
  ];
  const rows = (['device', 'iommu'] as const).flatMap((side) => {
    const own = classCounts(total).filter(([name]) => OPERATION_CLASSES[name] === side);
    const title = side === 'device' ? 'device' : 'IOMMU side';
    return [
      cells(title, total.total(side)),
      ...own.map(([name, value]) => cells(`  ${name}`, value)),
    ];
  });
  return table(rows, {
    header: ['', 'played', 'match', 'explained', 'differ'],
    align: ['left', 'right', 'right', 'right', 'right'],
  });
}

/** The document of `--json`. */
export function resultsDocument({ files, total, broken }: Results): unknown {
  const summary = (tally: Tally) => ({
    total: tally.total(),
    device: tally.total('device'),
    iommu: tally.total('iommu'),
    classes: Object.fromEntries(classCounts(tally)),
    explanations: Object.fromEntries(tally.explanations),
  });
  return {
    ...summary(total),
    files: files.map(({ file, tally, unknown, learned }) => ({
      file,
      ...summary(tally),
      learned,
      unknownOps: Object.fromEntries(unknown),
    })),
    differences: total.differences,
    broken,
  };
}
