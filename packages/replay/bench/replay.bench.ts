import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { played, Replayer, readTrace, Tally } from '@vfiokit/replay';

/** Benchmarks run at the repository's root. */
const TRACES = join(process.cwd(), 'test/fixtures/traces');
const ROUNDS = 3;

/** How fast recordings are played: reading and unpacking included, on one core. */
export async function bench(report: (line: string) => void): Promise<void> {
  const files = readdirSync(TRACES, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.jsonl.gz'))
    .map((name) => join(TRACES, name));
  let best: { operations: number; reading: number; all: number } | undefined;
  for (let round = 0; round < ROUNDS; round += 1) {
    const tally = new Tally(0);
    let reading = 0;
    const start = performance.now();
    for (const file of files) {
      const from = performance.now();
      const trace = await readTrace(file);
      reading += performance.now() - from;
      new Replayer(trace, tally).run();
    }
    const all = performance.now() - start;
    if (best === undefined || all < best.all)
      best = { operations: played(tally.total()), reading, all };
  }
  const { operations, reading, all } = best!;
  const rate = (ms: number) => `${Math.round(operations / ms)} thousand a second`;
  report(`${operations} operations: ${rate(all)} (wanted: at least 200)`);
  report(
    `of that reading alone: ${rate(reading)}; playing costs ${((all - reading) / reading).toFixed(1)}x as much`,
  );
}
