import { expect, test } from 'vitest';
import { main } from '../src/main.js';

/** What the example prints, by guest. */
function pictures(): ReadonlyMap<string, readonly string[]> {
  const lines: string[] = [];
  main((line) => lines.push(...line.split('\n')));
  const all = new Map<string, string[]>();
  let current: string[] = [];
  for (const line of lines) {
    const title = /^(\S.*?) {2}\[(.*)\]$/.exec(line);
    if (title) {
      current = [];
      all.set(title[1]!, current);
    } else if (line.startsWith('  ')) current.push(line);
  }
  return all;
}

const guests = pictures();
const containers = (guest: string) =>
  guests
    .get(guest)!
    .filter((line) => line.includes('───'))
    .map((line) => line.split('───').map((part) => part.replace(/:.*/, '').trim()));
const cost = (guest: string) => guests.get(guest)!.at(-1)!.trim();

test('without an IOMMU all devices share one container, which holds all memory', () => {
  expect(containers('A guest without an IOMMU')).toEqual([
    ['system memory', 'container 1 (type1 v2)', 'gpu+audio, nic, disk'],
  ]);
  expect(cost('A guest without an IOMMU')).toBe(
    '→ a driver maps 16 pages: 0 maps on the host; locked 8 MiB before, 8 MiB after',
  );
});

test('with an IOMMU of its own each device has a container, which holds what the guest maps', () => {
  expect(
    containers('A guest with an IOMMU of its own').map(([key, , devices]) => [key, devices]),
  ).toEqual([
    ['gpu+audio', 'gpu+audio'],
    ['nic', 'nic'],
    ['disk', 'disk'],
  ]);
  expect(cost('A guest with an IOMMU of its own')).toBe(
    '→ a driver maps 16 pages: 16 maps on the host; locked 0 MiB before, 0.06 MiB after',
  );
});

test('today each bridge of a PAPR guest has a container, and its groups share that', () => {
  expect(containers('A pseries guest, today').map(([key, , devices]) => [key, devices])).toEqual([
    ['bridge 0', 'gpu+audio, nic'],
    ['bridge 1', 'disk'],
  ]);
});

test('as first proposed a bridge has one group: the second one below it is refused', () => {
  expect(
    containers('A pseries guest, as first proposed').map(([key, , devices]) => [key, devices]),
  ).toEqual([
    ['bridge 0', 'gpu+audio'],
    ['bridge 1', 'disk'],
  ]);
  expect(guests.get('A pseries guest, as first proposed')).toContainEqual(
    expect.stringContaining('✗ nic: no space takes group 1'),
  );
});

test('where a container takes one group, a bridge of today has two that hold the same', () => {
  expect(containers('A pseries guest, one group to a container').map(([key]) => key)).toEqual([
    'bridge 0',
    'bridge 0',
    'bridge 1',
  ]);
  expect(cost('A pseries guest, one group to a container')).toContain('32 maps');
});

test('the policy of PAPR works as well where user space fills page tables', () => {
  expect(containers('A pseries guest, on an x86 host').map(([key, label]) => [key, label])).toEqual(
    [
      ['bridge 0', 'container 1 (type1 v2)'],
      ['bridge 1', 'container 2 (type1 v2)'],
    ],
  );
});

test('a pair that cannot work is refused with what is missing', () => {
  const lines = guests.get('A guest without an IOMMU, on POWER')!;
  expect(
    lines.filter((line) => line.includes('windows: none exists until a guest makes one')),
  ).toHaveLength(4);
});
