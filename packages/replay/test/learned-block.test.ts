import { describe, expect, test } from 'vitest';
import { LearnedBlock } from '../src/machine/learned-block.js';

describe('what lies behind a BAR is learned from the record', () => {
  test('a byte is taken once and predicted from then on', () => {
    const block = new LearnedBlock();
    block.expect({ offset: 8, hex: '11223344' });
    expect(block.read(8, 4)).toBe(0x44332211);
    block.expect(undefined);
    expect(block.read(8, 4)).toBe(0x44332211);
    expect(block.learned).toBe(4);
  });

  test('what was written is predicted, without learning anything', () => {
    const block = new LearnedBlock();
    block.write(0x1ffe, 4, 0xa1b2c3d4);
    expect(block.read(0x2000, 2)).toBe(0xa1b2);
    expect(block.learned).toBe(0);
  });

  test('a register that does not hold what was written answers wrong once, then lives', () => {
    const block = new LearnedBlock();
    block.write(4, 4, 0x12345678);
    block.expect({ offset: 4, hex: '87a9cbed' });
    expect(block.read(4, 4)).toBe(0x12345678);
    expect(block.lives(4)).toBe(true);
    expect(block.lives(8)).toBe(false);
    expect(block.read(4, 4)).toBe(0xedcba987);
  });

  test('a width that the device does not implement is learned from zeroes in place of known bytes', () => {
    const block = new LearnedBlock();
    block.expect({ offset: 0, hex: 'ed000010' });
    expect(block.read(0, 4)).toBe(0x100000ed);
    block.expect({ offset: 0, hex: '0000' });
    expect(block.read(0, 2)).toBe(0);
    block.expect(undefined);
    expect(block.read(0, 2)).toBe(0);
    expect(block.read(0, 4)).toBe(0x100000ed);
  });

  test('a width may answer all-ones instead', () => {
    const block = new LearnedBlock();
    block.expect({ offset: 0, hex: 'ed000010' });
    block.read(0, 4);
    block.expect({ offset: 0, hex: 'ffffffffffffffff' });
    expect(block.read64(0)).toBe(0xffffffffffffffffn);
    block.expect(undefined);
    expect(block.read64(0)).toBe(0xffffffffffffffffn);
  });

  test('zeroes of a width that nothing is known of teach nothing', () => {
    const block = new LearnedBlock();
    block.expect({ offset: 0, hex: '0000' });
    expect(block.read(0, 2)).toBe(0);
    block.expect({ offset: 0, hex: 'ed000010' });
    expect(block.read(0, 4)).toBe(0x100000ed);
    expect(block.lives(0)).toBe(false);
  });

  test('bytes that were not recorded read as zero and stay unknown', () => {
    const block = new LearnedBlock();
    block.expect({ offset: 0, hex: '....' });
    expect(block.read(0, 2)).toBe(0);
    expect(block.learned).toBe(0);
  });
});
