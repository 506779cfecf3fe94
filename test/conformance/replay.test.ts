import { existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { EXPLANATIONS, Replayer, readTrace, renderDifference, Tally } from '@vfiokit/replay';
import { describe, expect, test } from 'vitest';
import { ROOT, readText, section } from '../house.js';

const FIXTURES = join(ROOT, 'test/fixtures/traces');
/** The command line's demonstration brings recordings of its own. */
const DEMO = join(ROOT, 'packages/cli/demo');
/** More recordings than the project ships, where somebody put them beside it. */
const MORE = join(ROOT, '../shared/traces');

function traces(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.jsonl.gz'))
    .map((name) => join(folder, name))
    .sort();
}

const played = new Map<string, Tally>();

/** Each recording is played once. */
async function replay(path: string): Promise<Tally> {
  const known = played.get(path);
  if (known !== undefined) return known;
  const tally = new Tally(3);
  new Replayer(await readTrace(path), tally).run();
  played.set(path, tally);
  return tally;
}

/** Several recordings as one. */
async function replayAll(paths: readonly string[]): Promise<Tally> {
  const all = new Tally(3);
  for (const path of paths) all.add(await replay(path));
  return all;
}

const operations = (tally: Tally) => {
  const { matched, explained, differing } = tally.total();
  return matched + explained + differing;
};

const DOCUMENT = readText('test/conformance/differences.md');
const COUNTS = section(DOCUMENT, 'How many there are');

/** The numbers of a sentence of the document. */
function numbers(sentence: RegExp): readonly number[] {
  const found = sentence.exec(COUNTS.replace(/\s+/g, ' '))?.slice(1) ?? [];
  return found.map((text) => Number(text.replaceAll(',', '')));
}

const RECORDED = numbers(/Of ([\d,]+) operations in (\d+) recordings (\d+) are explained/);
const SHIPPED = numbers(/holds (\d+) of the recordings, ([\d,]+) operations, with all (\d+)/);
const RULES = new Map(
  [...COUNTS.matchAll(/(\d+) × `([a-z-]+)`/g)].map(([, times, rule]) => [rule, Number(times)]),
);

const shown = (tally: Tally) => tally.differences.flatMap(renderDifference).join('\n');

describe('recordings of a real kernel that the project ships', () => {
  test.each(
    [...traces(FIXTURES), ...traces(DEMO)].map((path) => [relative(ROOT, path), path] as const),
  )('%s: the model answers as Linux did', async (_name, path) => {
    const tally = await replay(path);
    expect(shown(tally)).toBe('');
    const { matched, differing } = tally.total();
    expect(matched).toBeGreaterThan(0);
    expect(differing).toBe(0);
  });

  test('are as many as the document says, with as many explained differences, by the same rules', async () => {
    const paths = traces(FIXTURES);
    const all = await replayAll(paths);
    expect([paths.length, operations(all), all.total().explained]).toEqual(SHIPPED);
    expect(new Map(all.explanations)).toEqual(RULES);
  });
});

// Nobody needs them but who wants to add to the model: they are kept apart for their size.
describe.skipIf(!existsSync(MORE))(
  'all recordings of a real kernel (shared/traces is not here)',
  () => {
    test('the model answers as Linux did, but for what the document counts', async () => {
      const paths = traces(MORE);
      const all = await replayAll(paths);
      expect(shown(all)).toBe('');
      expect([operations(all), paths.length, all.total().explained]).toEqual(RECORDED);
      expect(new Map(all.explanations)).toEqual(RULES);
    }, 120_000);
  },
);

describe('explained differences', () => {
  test('the document lists the rules with their reasons, and no others', () => {
    const rows = [...DOCUMENT.matchAll(/^\| `([a-z-]+)` +\| (.*?) +\|$/gm)].map(
      ([, id, reason]) => ({ id, reason }),
    );
    expect(rows).toEqual(EXPLANATIONS.map(({ id, reason }) => ({ id, reason })));
  });

  test('no rule names a device', () => {
    const ids = /0x[0-9a-f]{4}\b.*\b(vendor|device)|vendor ===|device ===/;
    expect(readText('packages/replay/src/result/explanations.ts')).not.toMatch(ids);
  });
});
