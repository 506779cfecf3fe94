import { describe, expect, test } from 'vitest';
import { manifest, packageFolders, readText, siblings } from './house.js';

/** The floors of the house, lowest first. A package leans on lower floors only. */
const FLOORS: readonly (readonly string[])[] = [
  ['pci', 'uapi'],
  ['core', 'iommu', 'driver-model', 'aux-bus', 'mdev'],
  ['ap', 'igd', 'mlx', 'nvgrace-gpu', 'nvlink', 'variants-more', 'virtio', 'zpci'],
  ['host', 'replay'],
  ['cli', 'binder', 'vfio-user'],
];

/** For authors and tests, on no floor: leans on the lowest two. */
const BESIDE = { testing: 1 } as const;

/** Neighbours on one floor that lean on each other, with why. */
const WITHIN: Readonly<Record<string, string>> = {
  'pci → uapi': 'error numbers',
  'core → iommu': 'the group is the door of a device',
  'aux-bus → driver-model': 'a bus type of it',
  'mdev → driver-model': 'a bus type of it',
};

/** The composition root leans on everybody. */
const ROOT_PACKAGE = 'cli';

const floorOf = (name: string) => FLOORS.findIndex((floor) => floor.includes(name));
const packages = packageFolders('packages');

describe('the house', () => {
  test('every package stands on exactly one floor or beside the house', () => {
    const placed = [...FLOORS.flat(), ...Object.keys(BESIDE)].sort();
    expect(placed).toEqual(packages);
  });

  test.each(packages)('%s leans on lower floors only', (name) => {
    const beside = name in BESIDE;
    const floor = beside ? BESIDE.testing + 1 : floorOf(name);
    const wrong = siblings(manifest(`packages/${name}`)).filter(
      (other) =>
        floorOf(other) >= floor && name !== ROOT_PACKAGE && !(`${name} → ${other}` in WITHIN),
    );
    expect(wrong).toEqual([]);
  });

  test('nothing is allowed that nobody does', () => {
    const leanings = packages.flatMap((name) =>
      siblings(manifest(`packages/${name}`)).map((other) => `${name} → ${other}`),
    );
    expect(Object.keys(WITHIN).filter((edge) => !leanings.includes(edge))).toEqual([]);
  });

  test('nobody ships with a dependency on what is there for tests', () => {
    expect(
      packages.filter((name) => siblings(manifest(`packages/${name}`)).includes('testing')),
    ).toEqual([]);
  });

  test("the README's picture shows these floors and arrows", () => {
    const lines = readText('README.md').match(/^floor \d .*$/gm) ?? [];
    const drawn = lines
      .map((line) => line.replace(/^floor \d +\w+ +/, ''))
      .map((line) => (line.match(/[a-z][a-z-]*/g) ?? []).filter((word) => packages.includes(word)));
    expect(drawn.reverse().map((floor) => [...floor].sort())).toEqual(
      FLOORS.map((floor) => [...floor].sort()),
    );
    const arrows = lines
      .flatMap((line) => [...line.matchAll(/(?:\(([^)]+)\)|([a-z-]+)) → ([a-z-]+)/g)])
      .flatMap(([, several, one, to]) =>
        (several ?? one!).split(', ').map((from) => `${from} → ${to}`),
      );
    expect(arrows.sort()).toEqual(Object.keys(WITHIN).sort());
  });
});
