import { describe, expect, test } from 'vitest';
import { readText, trackedFiles } from '../house.js';

const LISTS = ['core', 'iommu', 'derived', 'binding', 'ap', 'vfio-user'];
const ENTRIES = readText('test/conformance/declined.md')
  .split('\n')
  .filter((line) => line.startsWith('- '));
const NAMES = ENTRIES.map((line) => /^- ([a-z-]+:\S+): /.exec(line)?.[1]);

/** What the titles of tests cite. */
const cited = new Set(
  trackedFiles()
    .filter((path) => path.endsWith('.test.ts'))
    .flatMap((path) => [...readText(path).matchAll(/\[([a-z-]+:[A-Z]?\d[^\]]*)\]/g)])
    .flatMap(([, ids = '']) => ids.split(' ')),
);

describe('statements of the checklists that are declined', () => {
  test.each(ENTRIES)('%s', (line) => {
    const [, list, reason] = /^- ([a-z-]+):[A-Z]?[\d.]+: (.+)$/.exec(line) ?? [];
    expect(LISTS).toContain(list);
    expect(reason!.split(' ').length).toBeGreaterThan(5);
  });

  test('are each declined once', () => {
    expect(NAMES).toEqual([...new Set(NAMES)]);
  });

  test('are cited by no test, while others are', () => {
    expect(NAMES.filter((name) => cited.has(name!))).toEqual([]);
    expect(LISTS.filter((list) => ![...cited].some((id) => id.startsWith(`${list}:`)))).toEqual([]);
  });
});
