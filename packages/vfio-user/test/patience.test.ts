import { describe, expect, it } from 'vitest';
import { Patience } from '../src/linux/patience.js';

const MICROSECOND = 1000;

describe('Patience', () => {
  it('never tries where no spinning is allowed', () => {
    const patience = new Patience(0);
    patience.slept(1 * MICROSECOND);
    expect(patience).toMatchObject({ nanoseconds: 0, counts: false });
  });

  it('tries for all that is allowed at first', () => {
    expect(new Patience(50).nanoseconds).toBe(50 * MICROSECOND);
  });

  it('stops trying a client that keeps quiet', () => {
    const patience = new Patience(50);
    for (let i = 0; i < 20; i += 1) patience.slept(2000 * MICROSECOND);
    expect(patience.nanoseconds).toBe(0);
  });

  it('comes back to trying when messages follow each other closely', () => {
    const patience = new Patience(50);
    for (let i = 0; i < 20; i += 1) patience.slept(2000 * MICROSECOND);
    for (let i = 0; i < 4; i += 1) patience.slept(60 * MICROSECOND);
    expect(patience.nanoseconds).toBe(50 * MICROSECOND);
  });
});
