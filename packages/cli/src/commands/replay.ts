import { Tally } from '@vfiokit/replay';
import { VfioError } from '@vfiokit/uapi';
import { command, EXIT_NO, EXIT_OK, JSON_OPTION, UsageError } from '../command.js';
import { findTraces } from '../replay/find-traces.js';
import { type FileResult, playFile, printResults, resultsDocument } from '../replay/results.js';

/** Plays recorded kernel traces against the model. */
export const replay = command({
  name: 'replay',
  summary: 'play recorded kernel traces against the model and compare every result',
  ownMachines: true,
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
    const paths = (await Promise.all(args._.map(findTraces))).flat();
    const total = new Tally(limit);
    const files: FileResult[] = [];
    const broken: string[] = [];
    for (const [i, path] of paths.entries()) {
      io.progress(`replaying ${i + 1} of ${paths.length}: ${path}`);
      try {
        const result = await playFile(path, limit);
        files.push(result);
        total.add(result.tally);
      } catch (error) {
        // One broken file is no reason not to play the others.
        if (!(error instanceof VfioError)) throw error;
        broken.push(error.message);
        io.warn(error.message);
      }
    }
    io.progress();
    const results = { files, total, broken };
    if (args.json) io.json(resultsDocument(results));
    else printResults(io, results);
    return total.total().differing === 0 && broken.length === 0 ? EXIT_OK : EXIT_NO;
  },
});
