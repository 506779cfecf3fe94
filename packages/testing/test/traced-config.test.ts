import { describe, expect, it } from 'vitest';
import { StoredConfig, TracedConfig } from '../src/index.js';

describe('a configuration space that notes accesses', () => {
  it('notes them as a bus analyser would, and passes them on', () => {
    const stored = new StoredConfig(256);
    const traced = new TracedConfig(stored);
    expect(traced.write(0x10, 4, 0xf0000000)).toBe(0);
    traced.write(0x3c, 1, 0xb);
    expect(traced.read(0x12, 2)).toBe(0xf000);
    expect(traced.log).toEqual(['W32@10=f0000000', 'W8@3c=0b', 'R16@12']);
    expect([traced.size, stored.bytes[0x3c]]).toEqual([256, 0xb]);
  });

  it('starts anew whenever its notes are taken', () => {
    const traced = new TracedConfig(new StoredConfig(256));
    traced.read(0, 4);
    expect(traced.take()).toEqual(['R32@0']);
    expect(traced.take()).toEqual([]);
  });
});
