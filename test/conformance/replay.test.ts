import { existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { EXPLANATIONS, Replayer, readTrace, renderDifference, Tally } from '@vfiokit/replay';
import { describe, expect, test } from 'vitest';
import { ROOT, readText } from '../house.js';

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

async function replay(path: string): Promise<Tally> {
  const tally = new Tally(3);
  new Replayer(await readTrace(path), tally).run();
  return tally;
}

const shown = (tally: Tally) => tally.differences.flatMap(renderDifference).join('\n');

describe('recordings of a real kernel that the project ships', () => {
  test.each(
    [...traces(FIXTURES), ...traces(DEMO)].map((path) => [relative(ROOT, path), path] as const),
  )('%s: the model answers as Linux did', async (_name, path) => {
    const tally = await replay(path);
    expect(shown(tally)).toBe('');
    expect(tally.total().matched).toBeGreaterThan(0);
  });
});

describe.skipIf(!existsSync(MORE))('all recordings of a real kernel', () => {
  test('the model answers as Linux did, but for less than one operation in a thousand', async () => {
    const all = new Tally(3);
    for (const path of traces(MORE)) all.add(await replay(path));
    expect(shown(all)).toBe('');
    const { matched, explained } = all.total();
    expect(matched).toBeGreaterThan(600_000);
    expect(explained).toBeLessThan(matched / 1000);
  }, 120_000);
});

describe('explained differences', () => {
  const document = readText('test/conformance/differences.md');

  test('the document lists the rules with their reasons, and no others', () => {
    const rows = [...document.matchAll(/^\| `([a-z-]+)` +\| (.*?) +\|$/gm)].map(
      ([, id, reason]) => ({ id, reason }),
    );
    expect(rows).toEqual(EXPLANATIONS.map(({ id, reason }) => ({ id, reason })));
  });

  test('no rule names a device', () => {
    const ids = /0x[0-9a-f]{4}\b.*\b(vendor|device)|vendor ===|device ===/;
    expect(readText('packages/replay/src/result/explanations.ts')).not.toMatch(ids);
  });
});
