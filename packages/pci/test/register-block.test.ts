import { describe, expect, test } from 'vitest';
import { MemoryBlock, OpenBus } from '../src/index.js';

describe('open bus', () => {
  test('reads all-ones in every width and swallows writes', () => {
    const block = new OpenBus();
    block.write();
    expect([block.read(0, 1), block.read(0, 2), block.read(4, 4)]).toEqual([
      0xff, 0xffff, 0xffffffff,
    ]);
  });
});

describe('memory', () => {
  test('keeps what is written, little-endian', () => {
    const block = new MemoryBlock(64);
    block.write(8, 4, 0x89abcdef);
    expect([block.read(8, 1), block.read(10, 2), block.read(8, 4)]).toEqual([
      0xef, 0x89ab, 0x89abcdef,
    ]);
  });

  test.each([
    ['small', 64],
    ['sparse', 32 << 20],
  ])('takes what it holds along to bytes that somebody shares: a %s one', (_, size) => {
    const block = new MemoryBlock(size);
    block.write(size - 4, 4, 0x89abcdef);
    const shared = new Uint8Array(size);
    block.moveTo(shared);
    expect(shared[size - 1]).toBe(0x89);
    shared[size - 1] = 0x12;
    expect(block.read(size - 4, 4)).toBe(0x12abcdef);
    block.write(0, 1, 0x77);
    expect(shared[0]).toBe(0x77);
    expect(block.memory).toBe(shared);
  });

  test.each([
    ['small', 1 << 20],
    ['sparse', 32 << 20],
  ])('takes values at any offset, as ioeventfds write them: a %s one', (_, size) => {
    const block = new MemoryBlock(size);
    for (const offset of [0x1fffd, 0x1fffe, 0x1ffff, 0x20001]) {
      block.write(offset, 4, 0x89abcdef);
      expect(block.read(offset, 4)).toBe(0x89abcdef);
      expect([0, 1, 2, 3].map((i) => block.read(offset + i, 1))).toEqual([0xef, 0xcd, 0xab, 0x89]);
    }
  });

  test('uses given bytes in place', () => {
    const bytes = new Uint8Array(4);
    const block = new MemoryBlock(bytes);
    block.write(1, 1, 7);
    expect(bytes[1]).toBe(7);
    expect(block.memory).toBe(bytes);
  });

  test('shows the same bytes through memory and through accesses', () => {
    const block = new MemoryBlock(16);
    block.memory![3] = 0x80;
    expect(block.read(0, 4)).toBe(0x80000000);
  });

  test('is an open bus beyond its end', () => {
    const block = new MemoryBlock(8);
    block.write(6, 4, 0);
    expect(block.read(8, 1)).toBe(0xff);
    expect(block.read(6, 4)).toBe(0xffffffff);
    expect(block.read(4, 4)).toBe(0);
  });

  test('of 64 GiB holds single dwords anywhere without being allocated', () => {
    const block = new MemoryBlock(2 ** 36);
    block.write(2 ** 35 + 4, 4, 0x12345678);
    expect(block.read(2 ** 35 + 4, 4)).toBe(0x12345678);
    expect(block.read(2 ** 35 + 2 ** 32 + 4, 4)).toBe(0);
    expect(block.memory).toBeUndefined();
  });
});
