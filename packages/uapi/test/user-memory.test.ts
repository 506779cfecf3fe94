import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UserMemory } from '../src/index.js';

const BASE = 0x1_0000_0000;
const rw = (address: number, size: number) => ({
  address,
  size,
  writable: true,
  bytes: new Uint8Array(size),
});

describe('the memory of a process', () => {
  test('is read and written where it is mapped', () => {
    const memory = new UserMemory();
    memory.map(rw(BASE, 16));
    expect(memory.write(BASE + 4, Uint8Array.of(1, 2))).toBe(true);
    expect(memory.read(BASE + 3, 4)).toEqual(Uint8Array.of(0, 1, 2, 0));
  });

  test('is one piece where mappings touch', () => {
    const memory = new UserMemory();
    memory.map(rw(BASE + 8, 8));
    memory.map(rw(BASE, 8));
    memory.write(BASE + 6, Uint8Array.of(1, 2, 3, 4));
    expect(memory.read(BASE + 5, 6)).toEqual(Uint8Array.of(0, 1, 2, 3, 4, 0));
  });

  test('cannot be read or written across a hole, and a write that fails writes nothing', () => {
    const memory = new UserMemory();
    memory.map(rw(BASE, 8));
    memory.map(rw(BASE + 9, 8));
    expect(memory.read(BASE, 10)).toBeUndefined();
    expect(memory.write(BASE + 6, Uint8Array.of(1, 1, 1))).toBe(false);
    expect(memory.read(BASE, 8)).toEqual(new Uint8Array(8));
  });

  test('that is read-only is not written', () => {
    const memory = new UserMemory();
    memory.map({ ...rw(BASE, 8), writable: false });
    expect(memory.write(BASE, Uint8Array.of(1))).toBe(false);
    expect(memory.read(BASE, 1)).toEqual(Uint8Array.of(0));
  });

  test('without contents reads as zeroes and swallows writes', () => {
    const memory = new UserMemory();
    memory.map({ address: BASE, size: 2 ** 40, writable: true });
    expect(memory.write(BASE + 2 ** 39, Uint8Array.of(1))).toBe(true);
    expect(memory.read(BASE + 2 ** 39, 1)).toEqual(Uint8Array.of(0));
  });

  test('is gone when it is unmapped', () => {
    const memory = new UserMemory();
    const mapping = memory.map(rw(BASE, 8));
    expect(memory.find(BASE + 7)).toBe(mapping);
    memory.unmap(mapping);
    expect(memory.find(BASE + 7)).toBeUndefined();
    memory.unmap(mapping);
    memory.map(rw(BASE + 4, 8));
  });

  test('is not mapped twice', () => {
    const memory = new UserMemory();
    memory.map(rw(BASE + 8, 8));
    for (const at of [BASE + 1, BASE + 8, BASE + 15])
      expect(() => memory.map(rw(at, 8))).toThrow('already mapped');
    memory.map(rw(BASE, 8));
    memory.map(rw(BASE + 16, 8));
  });

  test('behaves as one array of bytes with holes', () => {
    const ranges = fc.array(
      fc.record({ address: fc.nat(60), size: fc.integer({ min: 1, max: 9 }) }),
    );
    fc.assert(
      fc.property(ranges, fc.nat(64), fc.nat(20), (mappings, from, length) => {
        const memory = new UserMemory();
        const mapped = new Set<number>();
        for (const { address, size } of mappings) {
          const bytes = Array.from({ length: size }, (_, index) => address + index);
          if (bytes.some((at) => mapped.has(at))) continue;
          memory.map({ address, size, writable: true, bytes: Uint8Array.from(bytes) });
          for (const at of bytes) mapped.add(at);
        }
        const wanted = Array.from({ length }, (_, index) => from + index);
        const expected = wanted.every((at) => mapped.has(at)) ? Uint8Array.from(wanted) : undefined;
        expect(memory.read(from, length)).toEqual(expected);
      }),
    );
  });
});
