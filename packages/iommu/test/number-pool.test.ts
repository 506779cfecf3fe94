import { IommuGroups, NumberPool } from '@vfiokit/iommu';
import { describe, expect, it } from 'vitest';

describe('a pool of numbers', () => {
  it('gives the lowest that is free, also after some came back', () => {
    const pool = new NumberPool();
    const taken = [pool.take(), pool.take(), pool.take()];
    pool.give(1);
    pool.give(0);
    expect([taken, pool.take(), pool.take(), pool.take()]).toEqual([[0, 1, 2], 0, 1, 3]);
  });

  it('passes over a number that somebody asked for', () => {
    const pool = new NumberPool();
    expect([pool.reserve(1), pool.reserve(1)]).toEqual([true, false]);
    expect([pool.take(), pool.take()]).toEqual([0, 2]);
  });

  it('does not take a number back that was not given', () => {
    const pool = new NumberPool();
    pool.give(5);
    expect([pool.take(), pool.take()]).toEqual([0, 1]);
  });
});

describe('the groups of a machine', () => {
  it('have the lowest free numbers, whatever was numbered by hand before', () => {
    const groups = new IommuGroups();
    groups.create({ id: 1 });
    const first = groups.create();
    groups.create();
    groups.remove(first);
    expect([first.id, groups.create().id, groups.create().id]).toEqual([0, 0, 3]);
  });
});
