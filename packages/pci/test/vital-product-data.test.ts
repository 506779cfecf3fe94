import { describe, expect, test } from 'vitest';
import { PciFunction } from '../src/index.js';
import { configOf, VPD } from './helpers.js';

const ADDRESS = 0xe2;
const DATA = 0xe4;

function withVpd(vpd?: Uint8Array): PciFunction {
  return new PciFunction({ config: configOf({ capabilities: [VPD] }), ...(vpd ? { vpd } : {}) });
}

describe('VPD registers', () => {
  test('turn the flag to 1 with the data when a read is done', () => {
    const silicon = withVpd(Uint8Array.from({ length: 16 }, (_, i) => i));
    silicon.config.write(ADDRESS, 2, 4);
    expect(silicon.config.read(ADDRESS, 2)).toBe(0x8004);
    expect(silicon.config.read(DATA, 4)).toBe(0x07060504);
  });

  test('turn the flag to 0 with the data stored when a write is done', () => {
    const storage = new Uint8Array(16);
    const silicon = withVpd(storage);
    silicon.config.write(DATA, 4, 0xa1b2c3d4);
    silicon.config.write(ADDRESS, 2, 0x8008);
    expect(silicon.config.read(ADDRESS, 2)).toBe(0x0008);
    expect([...storage.subarray(8, 12)]).toEqual([0xd4, 0xc3, 0xb2, 0xa1]);
  });

  test('do nothing for a write to the lower byte alone', () => {
    const silicon = withVpd(Uint8Array.of(9, 9, 9, 9));
    silicon.config.write(ADDRESS, 1, 0);
    expect(silicon.config.read(ADDRESS, 2)).toBe(0);
  });

  test('read zero beyond the storage', () => {
    const silicon = withVpd(Uint8Array.of(1, 2));
    silicon.config.write(ADDRESS, 2, 0);
    expect(silicon.config.read(DATA, 4)).toBe(0x0201);
    silicon.config.write(ADDRESS, 2, 0x7ffc);
    expect(silicon.config.read(DATA, 4)).toBe(0);
  });

  test('never answer without storage', () => {
    const silicon = withVpd();
    silicon.config.write(ADDRESS, 2, 4);
    expect(silicon.config.read(ADDRESS, 2)).toBe(4);
  });
});
