import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConfigSpace } from '../src/index.js';

const EFAULT = -14;

function space(
  bytes: readonly number[],
  writeMask: readonly number[] = [],
  clear: readonly number[] = [],
) {
  return new ConfigSpace({
    bytes: Uint8Array.from(bytes),
    writeMask: Uint8Array.from(writeMask),
    write1ToClear: Uint8Array.from(clear),
  });
}

describe('configuration space', () => {
  test('is 256 bytes long, or 4096 if it has to be', () => {
    expect(space([]).size).toBe(256);
    expect(new ConfigSpace({ bytes: new Uint8Array(257) }).size).toBe(4096);
    expect(new ConfigSpace({ bytes: new Uint8Array(64), size: 4096 }).size).toBe(4096);
  });

  test('reads bytes, words and dwords in little-endian order', () => {
    const config = space([0x11, 0x22, 0x33, 0xf4]);
    expect(config.read(3, 1)).toBe(0xf4);
    expect(config.read(2, 2)).toBe(0xf433);
    expect(config.read(0, 4)).toBe(0xf4332211);
  });

  test('lets only bits of the write mask follow a write', () => {
    const config = space([0xaa, 0xaa, 0xaa, 0xaa], [0x0f, 0xff, 0x00, 0x80]);
    expect(config.write(0, 4, 0x55555555)).toBe(0);
    expect(config.read(0, 4)).toBe(0x2aaa55a5);
  });

  test('leaves the byte lanes alone that a narrow write does not cover', () => {
    const config = space([0, 0, 0, 0], [0xff, 0xff, 0xff, 0xff]);
    config.write(1, 1, 0x7f);
    config.write(2, 2, 0xbeef);
    expect(config.read(0, 4)).toBe(0xbeef7f00);
  });

  test('clears bits that are written with 1 and keeps those written with 0', () => {
    const config = space([0xff, 0, 0, 0], [], [0xf0]);
    config.write(0, 1, 0x3f);
    expect(config.read(0, 1)).toBe(0xcf);
  });

  test('takes a bit in both masks for one that is cleared', () => {
    const config = space([0, 0, 0, 0], [0xff], [0x80]);
    config.write(0, 1, 0xff);
    expect(config.read(0, 1)).toBe(0x7f);
    expect(config.writeMask[0]).toBe(0x7f);
  });

  test.each([
    [1, 2],
    [2, 4],
    [-4, 4],
    [256, 1],
    [254, 4],
  ])('answers EFAULT at offset %i with size %i', (offset, size) => {
    const config = space([]);
    expect(config.read(offset, size)).toBe(EFAULT);
    expect(config.write(offset, size, 0)).toBe(EFAULT);
  });

  test('reads all-ones and swallows writes while the function is absent', () => {
    const config = space([0x34, 0x12, 0, 0], [0xff]);
    config.present = false;
    expect(config.read(0, 4)).toBe(0xffffffff);
    expect(config.read(1, 1)).toBe(0xff);
    expect(config.write(0, 1, 0)).toBe(0);
    config.present = true;
    expect(config.read(0, 2)).toBe(0x1234);
  });

  test('is set past every mask by poke', () => {
    const config = space([0, 0, 0, 0]);
    config.poke(2, Uint8Array.of(0xcd, 0xab));
    config.poke16(0, 0x1234);
    expect(config.read(0, 4)).toBe(0xabcd1234);
  });

  test('tells an effect of its dword what was written, where, and what became of it', () => {
    const config = space([0x10, 0, 0, 0], [0x0f, 0xff]);
    const writes: unknown[] = [];
    config.attach(0, { written: (write) => writes.push({ ...write }) });
    config.write(1, 1, 0xab);
    config.write(4, 4, 1);
    expect(writes).toEqual([{ value: 0xab00, lanes: 0xff00, before: 0x10, after: 0xab10 }]);
  });

  test('shows what an effect makes of a dword, in the lanes that are read', () => {
    const config = space([0, 0, 0, 0]);
    config.attach(0, { read: (stored) => stored | 0x80ff0000 });
    expect(config.read(0, 4)).toBe(0x80ff0000);
    expect(config.read(2, 1)).toBe(0xff);
  });
});

describe('laws of configuration space', () => {
  const bytes = fc.uint8Array({ minLength: 8, maxLength: 8 });
  const access = fc.constantFrom(1, 2, 4).chain((size) =>
    fc.record({
      size: fc.constant(size),
      offset: fc.integer({ min: 0, max: 8 / size - 1 }).map((index) => index * size),
      value: fc.integer({ min: 0, max: 0xffffffff }),
    }),
  );

  test('no sequence of writes changes a bit that is in neither mask', () => {
    fc.assert(
      fc.property(bytes, bytes, bytes, fc.array(access), (initial, mask, clear, accesses) => {
        const config = space([...initial], [...mask], [...clear]);
        for (const { offset, size, value } of accesses) config.write(offset, size, value);
        return initial.every((byte, i) => {
          const fixed = ~(mask[i]! | clear[i]!) & 0xff;
          return (config.bytes[i]! & fixed) === (byte & fixed);
        });
      }),
    );
  });

  test('a dword write does what four byte writes do', () => {
    fc.assert(
      fc.property(bytes, bytes, bytes, fc.integer(), (initial, mask, clear, value) => {
        const whole = space([...initial], [...mask], [...clear]);
        const parts = space([...initial], [...mask], [...clear]);
        whole.write(4, 4, value);
        for (let i = 0; i < 4; i += 1) parts.write(4 + i, 1, (value >>> (8 * i)) & 0xff);
        expect(parts.bytes).toEqual(whole.bytes);
      }),
    );
  });

  test('what is read is what is stored, in every width', () => {
    fc.assert(
      fc.property(bytes, access, (initial, { offset, size }) => {
        const config = space([...initial]);
        let expected = 0;
        for (let i = 0; i < size; i += 1) expected += initial[offset + i]! * 2 ** (8 * i);
        expect(config.read(offset, size)).toBe(expected);
      }),
    );
  });
});
