import { describe, expect, it } from 'vitest';
import { StoredConfig } from '../src/index.js';

describe('a configuration space of plain storage', () => {
  it('is written where it can be written', () => {
    const stored = new StoredConfig(256, [
      [0x04, 0x05],
      [0x10, 0x14],
    ]);
    stored.write(0x04, 2, 0xffff);
    stored.write(0x0e, 4, 0x12345678);
    expect(stored.read(0x04, 2)).toBe(0x00ff);
    expect(stored.read(0x0c, 4)).toBe(0);
    expect(stored.read(0x10, 4)).toBe(0x1234);
  });

  it('is prepared whatever can be written', () => {
    const stored = new StoredConfig(256, []).set(0, 4, 0x10d38086).set(0x0e, 1, 0x80);
    expect([stored.read(0, 4), stored.read(0x0e, 1)]).toEqual([0x10d38086, 0x80]);
  });
});
