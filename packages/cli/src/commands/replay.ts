import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
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
import { VfioError } from '@vfiokit/uapi';
import { command, EXIT_NO, EXIT_OK, JSON_OPTION, UsageError } from '../command.js';
import type { Io } from '../io.js';
import { count, percent, plural, table } from '../output.js';

const TRACE_NAME = /\.jsonl(\.gz)?$/;

/** What became of one file. */
interface FileResult {
  readonly file: string;
  readonly tally: Tally;
  readonly unknown: ReadonlyMap<string, number>;
  readonly seconds: number;
}

/** Plays recorded kernel traces against the model. */
export const replay = command({
  name: 'replay',
  summary: 'play recorded kernel traces against the model and compare every result',
  examples: ['replay traces/edu/std.jsonl.gz', "replay traces --limit 5 'more/*.jsonl.gz'"],
  args: {
    file: {
      type: 'positional',
      required: true,
      description: 'Traces (.jsonl, .jsonl.gz), folders of them, or patterns with *',
    },
    limit: { type: 'string', description: 'How many differences to show', default: '10' },
    json: JSON_OPTION,
  },
  variadic: true,
  async run({ args, io }) {
    const limit = Number(args.limit);
    if (!Number.isInteger(limit) || limit < 0)
      throw new UsageError(`--limit ${args.limit}: not a number of differences`);
    const files = (await Promise.all(args._.map(findTraces))).flat();
    const total = new Tally(limit);
    const results: FileResult[] = [];
    const broken: string[] = [];
    for (const [i, file] of files.entries()) {
      io.progress(`replaying ${i + 1} of ${files.length}: ${file}`);
      try {
        const result = await play(file, limit);
        results.push(result);
        total.add(result.tally);
      } catch (error) {
        if (!(error instanceof VfioError)) throw error;
        broken.push(error.message);
        io.progress();
        io.warn(error.message);
      }
    }
    io.progress();
    if (args.json) printJson(io, results, total, broken);
    else printText(io, results, total, broken);
    return total.total().differing === 0 && broken.length === 0 ? EXIT_OK : EXIT_NO;
  },
});

async function play(file: string, keep: number): Promise<FileResult> {
  const start = performance.now();
  const trace = await readTrace(file);
  const tally = new Tally(keep);
  new Replayer(trace, tally).run();
  return { file, tally, unknown: trace.unknown, seconds: (performance.now() - start) / 1000 };
}

/** The traces that a word of the command line means. */
async function findTraces(word: string): Promise<string[]> {
  const found = await stat(word).catch(() => undefined);
  if (found?.isDirectory()) return traceFiles(word, /./);
  if (found !== undefined || !/[*?]/.test(word)) return [word];
  const base = word.slice(0, word.search(/[*?]/)).replace(/[^/]*$/, '') || '.';
  const pattern = word
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*\*\/|\*|\?/g, (wild) =>
      wild === '**/' ? '(.*/)?' : wild === '*' ? '[^/]*' : '[^/]',
    );
  return traceFiles(base, new RegExp(`^${base === '.' ? '' : ''}${pattern}$`));
}

async function traceFiles(folder: string, pattern: RegExp): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true }).catch(
    (cause: NodeJS.ErrnoException) => {
      throw new VfioError(
        'ENOENT',
        `${folder}: ${cause.code === 'ENOENT' ? 'no such folder' : cause.message}`,
        { cause },
      );
    },
  );
  const files = entries
    .filter((name) => TRACE_NAME.test(name))
    .map((name) => (folder === '.' ? name : join(folder, name)))
    .filter((path) => pattern.test(path))
    .sort();
  if (files.length === 0)
    throw new VfioError(
      'ENOENT',
      `${folder}: no traces there; their names end in .jsonl or .jsonl.gz`,
    );
  return files;
}

function printText(
  io: Io,
  results: readonly FileResult[],
  total: Tally,
  broken: readonly string[],
): void {
  const { bold, green, red, yellow, dim } = io.colors;
  if (results.length > 1)
    for (const { file, tally } of results) {
      const { matched, explained, differing } = tally.total();
      if (differing > 0)
        io.print(
          `${file}: ${red(`${count(differing)} differ`)} of ${count(matched + explained + differing)}`,
        );
    }
  for (const difference of total.differences) {
    io.print();
    const [head, ...rest] = renderDifference(difference);
    io.print(bold(head!));
    for (const line of rest) io.print(line);
  }
  if (total.differences.length > 0) io.print();
  const rows = classCounts(total).map(([name, value]) => [
    name,
    count(played(value)),
    count(value.matched),
    value.explained === 0 ? dim('-') : yellow(count(value.explained)),
    value.differing === 0 ? dim('-') : red(count(value.differing)),
    dim(OPERATION_CLASSES[name] === 'iommu' ? 'IOMMU side' : ''),
  ]);
  const align = [undefined, 'right', 'right', 'right', 'right'] as const;
  for (const line of table(rows, {
    header: ['', 'played', 'match', 'explained', 'differ', ''],
    align,
  }))
    io.print(line);
  for (const [id, times] of total.explanations) {
    const rule = EXPLANATIONS.find((other) => other.id === id);
    io.print(`${yellow('explained')} ${count(times)} × ${id}: ${rule?.reason ?? ''}`);
  }
  for (const { file, unknown } of results)
    for (const [op, times] of unknown)
      io.warn(`${basename(file)}: op "${op}" is not known here; skipped ${plural(times, 'line')}`);
  const { matched, explained, differing } = total.total();
  const all = matched + explained + differing;
  const seconds = results.reduce((sum, result) => sum + result.seconds, 0);
  io.print(
    dim(
      `${plural(results.length, 'trace')}, ${count(Math.round(all / Math.max(seconds, 1e-3)))} operations a second`,
    ),
  );
  if (explained > 0)
    io.print(
      `${count(explained)} of the others ${explained === 1 ? 'is' : 'are'} explained${differing === 0 ? '; none is left' : `, ${count(differing)} are not`}`,
    );
  if (broken.length > 0) io.print(red(`${plural(broken.length, 'file')} could not be read`));
  const line = `replay: ${matched} of ${all} operations match (${percent(matched, all)})`;
  io.print(differing === 0 ? green(line) : red(line));
}

function printJson(
  io: Io,
  results: readonly FileResult[],
  total: Tally,
  broken: readonly string[],
): void {
  const summary = (tally: Tally) => ({
    total: tally.total(),
    device: tally.total('device'),
    iommu: tally.total('iommu'),
    classes: Object.fromEntries(classCounts(tally)),
    explanations: Object.fromEntries(tally.explanations),
  });
  io.json({
    ...summary(total),
    files: results.map(({ file, tally, unknown }) => ({
      file,
      ...summary(tally),
      unknownOps: Object.fromEntries(unknown),
    })),
    differences: total.differences,
    broken,
  });
}
