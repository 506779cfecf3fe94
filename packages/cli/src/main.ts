import 'reflect-metadata';
import { COMMANDS } from './composition.js';
import { processIo } from './io.js';
import { run } from './run.js';

// A reader that has seen enough, such as `head`, is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`standard output: can't be written (${error.code ?? error.message})\n`);
  process.exit(1);
});

// Nobody hears of warnings any more, which is no reason to end what goes on.
process.stderr.on('error', () => {});

process.exitCode = await run(process.argv.slice(2), COMMANDS, processIo());
