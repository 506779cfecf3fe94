import { describe, expect, it } from 'vitest';
import { describeContract } from '../src/index.js';

const ran: string[] = [];

describeContract(
  'a contract with three cases',
  {
    'is kept': () => ran.push('kept'),
    'has nothing to ask': (skip) => {
      skip('its subject has no such thing');
      throw new Error('a case went on that was left');
    },
    'is declined': () => {
      ran.push('declined');
      throw new Error('as its reason says');
    },
  },
  { 'is declined': 'its subject has nothing to decline with' },
);

describe('describeContract', () => {
  it('runs every case as far as it has something to ask, and wants a declined one to fail', () => {
    expect(ran).toEqual(['kept', 'declined']);
  });

  it('refuses a reason for a case that there is not', () => {
    expect(() => describeContract('stale', {}, { 'was renamed': 'why not' })).toThrow(
      'stale: declines "was renamed", which is no case of it',
    );
  });
});
