import { count, hex, percent, plural, size, table, tree, width } from 'vfiokit';
import { describe, expect, test } from 'vitest';

describe('text for people', () => {
  test('columns of a table stand under each other', () => {
    expect(
      table(
        [
          ['a', '1'],
          ['bcd', '22'],
        ],
        { header: ['name', 'n'], align: ['left', 'right'], indent: '  ' },
      ),
    ).toEqual(['  name   n', '  a      1', '  bcd   22']);
  });

  test('colours take no column', () => {
    expect(width('\x1b[31mred\x1b[39m')).toBe(3);
    expect(
      table([
        ['\x1b[31mx\x1b[39m', 'y'],
        ['long', 'z'],
      ])[0],
    ).toBe('\x1b[31mx\x1b[39m     y');
  });

  test('a tree shows what is under what', () => {
    const root = {
      label: 'root',
      children: [{ label: 'a', children: [{ label: 'b' }] }, { label: 'c' }],
    };
    expect(tree(root)).toEqual(['root', '├── a', '│   └── b', '└── c']);
    expect(tree(root, { ascii: true })).toEqual(['root', '|-- a', '|   `-- b', '`-- c']);
  });

  test.each([
    [32, '32 bytes'],
    [4096, '4 KiB'],
    [0x30000, '192 KiB'],
    [1536, '1.5 KiB'],
    [2n ** 40n, '1 TiB'],
  ])('%d bytes', (bytes, text) => {
    expect(size(bytes)).toBe(text);
  });

  test('numbers in hex, with digits', () => {
    expect(hex(0xa8, 4)).toBe('0x00a8');
    expect(hex(2n ** 40n)).toBe('0x10000000000');
  });

  test('counts with thousands', () => {
    expect(count(696629)).toBe('696,629');
    expect(count(999)).toBe('999');
    expect(plural(1, 'file')).toBe('1 file');
    expect(plural(1200, 'entry', 'entries')).toBe('1,200 entries');
  });

  test('a percentage is 100 only if nothing is missing', () => {
    expect(percent(3, 3)).toBe('100 %');
    expect(percent(696601, 696629)).toBe('99.99 %');
    expect(percent(999_999_999, 1_000_000_000)).toBe('99.99 %');
    expect(percent(0, 0)).toBe('0 %');
  });
});
