import { cNumberAt, kstrtoul } from '@vfiokit/driver-model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const codeOf = (text: string) => {
  try {
    kstrtoul(text, 'file');
    return 'ok';
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('the number that an attribute takes', () => {
  it.each([
    ['0', 0],
    ['5', 5],
    ['+5', 5],
    ['0x1f', 31],
    ['0X1F\n', 31],
    ['017', 15],
    ['00', 0],
  ])('%j is %i', (text, value) => {
    expect(kstrtoul(text, 'file')).toBe(value);
  });

  it.each(['', '\n', ' 5', '-5', '5 ', '5\n\n', '08', '0x', '0xg', 'five', '++5', '5-'])(
    '%j is none',
    (text) => {
      expect(codeOf(text)).toBe('EINVAL');
    },
  );

  it('is out of range beyond 64 bits, and that comes before what follows it', () => {
    expect(codeOf('18446744073709551615')).toBe('ok');
    expect(codeOf('18446744073709551616')).toBe('ERANGE');
    expect(codeOf('0x10000000000000000 and more')).toBe('ERANGE');
  });

  it('of any value reads back in every base', () => {
    fc.assert(
      fc.property(fc.nat(), (value) => {
        for (const text of [`${value}`, `0x${value.toString(16)}`, `0${value.toString(8)}`])
          expect(kstrtoul(`+${text}\n`, 'file')).toBe(value);
      }),
    );
  });

  it('may stand in the middle of a text, where it ends at the first character that is not part of it', () => {
    expect(cNumberAt('+08', 1)).toEqual({ value: 0n, end: 2 });
    expect(cNumberAt('a12b', 1)).toEqual({ value: 12n, end: 3 });
    expect(cNumberAt('ab', 1)).toBeUndefined();
  });
});
