import { fileURLToPath } from 'node:url';
import { Replayer, readTrace, Tally } from '@vfiokit/replay';
import type { Io } from '../io.js';
import { count, percent, table } from '../output.js';
import type { Chapter } from './chapter.js';

/** Recordings that come with the package, and what they are of. */
const RECORDINGS = [
  ['network-card', 'a network card behind a root port, every call in every state'],
  ['two-functions', 'two functions of one slot: shared groups, hot resets'],
  ['nvme-fuzz', 'an NVMe controller under 3000 random operations'],
] as const;

const recording = (name: string) =>
  fileURLToPath(new URL(`../../demo/${name}.jsonl.gz`, import.meta.url));

/** Whether the model answers as the kernel did: every operation of the recordings that come with the package. */
export async function conformanceChapter(io: Io): Promise<Chapter> {
  const { green, red } = io.colors;
  const total = new Tally();
  const rows: string[][] = [];
  for (const [name, what] of RECORDINGS) {
    io.progress(`   replaying ${name}`);
    const tally = new Tally();
    new Replayer(await readTrace(recording(name)), tally).run();
    total.add(tally);
    const { matched, explained, differing } = tally.total();
    rows.push([what, count(matched), `of ${count(matched + explained + differing)} match`]);
  }
  io.progress();
  const { matched, explained, differing } = total.total();
  const all = matched + explained + differing;
  const paint = differing === 0 ? green : red;
  return {
    name: 'conformance',
    title:
      'Is that what Linux does? Calls that were recorded on a kernel, played again on the model',
    lines: [
      ...table(rows, { align: ['left', 'right'] }),
      paint(
        `${count(matched)} of ${count(all)} match (${percent(matched, all)}): results, bytes, eventfds, power states, raw registers`,
      ),
    ],
    facts: { matched, explained, differing },
    good: differing === 0,
  };
}
