import { ApMask, formatApConfig, parseApConfig, parseBootMask, parseMask } from '@vfiokit/ap';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const NONE = ApMask.NONE;
const ALL = ApMask.ALL;
const ids = (mask: ApMask): number[] => [...mask];
const invalid = expect.objectContaining({ code: 'EINVAL' });

describe('a whole mask', () => {
  it('[ap:2] 0x41 is {1, 7}', () => {
    expect(ids(parseMask('0x41', ALL))).toEqual([1, 7]);
  });

  it('[ap:3] may come without a prefix, or with only an x', () => {
    expect(ids(parseMask('41', ALL))).toEqual([1, 7]);
    expect(ids(parseMask('x41', ALL))).toEqual([1, 7]);
  });

  it('[ap:14] has at most 64 digits', () => {
    expect(parseMask('f'.repeat(64), NONE).equals(ALL)).toBe(true);
    expect(() => parseMask('f'.repeat(65), NONE)).toThrow(invalid);
  });

  it('[ap:15] has a lower-case x in its prefix, and no blank before it', () => {
    expect(() => parseMask('0X41', NONE)).toThrow(invalid);
    expect(() => parseMask(' 0x41', NONE)).toThrow(invalid);
  });

  it('[ap:16] of no digit at all is empty', () => {
    for (const text of ['\n', '0x', '']) expect(ids(parseMask(text, ALL))).toEqual([]);
  });

  it('[ap:17] may end in one newline, not in two', () => {
    expect(ids(parseMask('0x41\n', NONE))).toEqual([1, 7]);
    expect(() => parseMask('0x41\n\n', NONE)).toThrow(invalid);
  });

  it('reads back what a mask is shown as', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(255)), (set) => {
        const mask = ApMask.from(set);
        expect(parseMask(`${mask}\n`, NONE).equals(mask)).toBe(true);
      }),
    );
  });
});

describe('a list of changes', () => {
  it.each([
    ['[ap:6] +1-2 is a range', '+1-2', NONE, [1, 2]],
    ['[ap:7] the last change wins', '-0-255,+16', ALL, [16]],
    ['[ap:9] the comma may be missing', '+1+2', NONE, [1, 2]],
    ['[ap:18] a leading zero makes a number octal', '+010', NONE, [8]],
    ['newlines separate as commas do, any number of them', '+1,\n,+2\n\n', NONE, [1, 2]],
    ['0x makes a number hexadecimal', '+0x10-0X11', NONE, [16, 17]],
  ])('%s', (_, text, start, expected) => {
    expect(ids(parseMask(text, start))).toEqual(expected);
  });

  it('[ap:8] +0-255,-128 is all but 128', () => {
    expect(parseMask('+0-255,-128', NONE).equals(ALL.without(128))).toBe(true);
  });

  it('[ap:5] -4,-0x47,-0xab,-0xff clears four bits of a full mask', () => {
    expect(String(parseMask('-4,-0x47,-0xab,-0xff', ALL))).toBe(
      '0xf7fffffffffffffffeffffffffffffffffffffffffeffffffffffffffffffffe',
    );
  });

  it.each([
    ['[ap:10] an id above 255', '+256'],
    ['[ap:11] a hexadecimal id above 255', '+0x128'],
    ['[ap:12] a range that runs down', '+5-3'],
    ['[ap:13] a sign alone', '+'],
    ['[ap:13] a hex digit without 0x', '+a'],
    ['[ap:13] a blank', '+1 ,+2'],
    ['a range without an end', '+1-'],
    ['a range whose end is above 255', '+1-256'],
    ['a digit that is not octal', '+08'],
    ['a number far above 64 bits', `+${'9'.repeat(40)}`],
    ['a change without a sign', '+1,2'],
  ])('refuses %s: %s', (_, text) => {
    expect(() => parseMask(text, NONE)).toThrow(invalid);
  });

  it('leads from any mask to any other', () => {
    const sets = fc.uniqueArray(fc.nat(255));
    fc.assert(
      fc.property(sets, sets, (from, to) => {
        const [a, b] = [ApMask.from(from), ApMask.from(to)];
        const changes = [
          ...a.andNot(b).ids.map((id) => `-${id}`),
          ...b.andNot(a).ids.map((id) => `+0x${id.toString(16)}`),
        ].join(',');
        if (changes !== '') expect(parseMask(changes, a).equals(b)).toBe(true);
      }),
    );
  });
});

it('any text whatever is a mask or EINVAL', () => {
  const alphabet = fc.constantFrom(...'+-,x0123456789abfX \n'.split(''));
  fc.assert(
    fc.property(fc.string({ unit: alphabet, maxLength: 80 }), (text) => {
      try {
        expect(parseMask(text, NONE)).toBeInstanceOf(ApMask);
      } catch (error) {
        expect(error).toMatchObject({ code: 'EINVAL', errno: -22 });
      }
    }),
  );
});

describe('a mask among the kernel parameters', () => {
  it('[ap:22] starts from the empty mask, so that +1-16 is just that', () => {
    expect(ids(parseBootMask('+1-16'))).toEqual(Array.from({ length: 16 }, (_, n) => n + 1));
    expect(ids(parseBootMask('0xffff'))).toEqual(Array.from({ length: 16 }, (_, n) => n));
    expect(ids(parseBootMask('0x40'))).toEqual([1]);
  });

  it('is full where there is none, and empty where it does not parse', () => {
    expect(parseBootMask(undefined).equals(ALL)).toBe(true);
    expect(ids(parseBootMask('+1-'))).toEqual([]);
  });
});

describe('the masks of ap_config', () => {
  const zeroes = '0'.repeat(64);

  it('are three full ones when read: 201 characters', () => {
    const text = formatApConfig({ apm: ApMask.of(5, 6), aqm: ApMask.of(4, 0xab), adm: NONE });
    expect(text).toBe(
      '0x06' +
        '0'.repeat(62) +
        ',0x0800000000000000000000000000000000000000001000000000000000000000' +
        `,0x${zeroes}\n`,
    );
    expect(text).toHaveLength(201);
  });

  it('[ap:104] may be short when written', () => {
    const { apm, aqm, adm } = parseApConfig('0x06,0x08,0x0\n');
    expect([ids(apm), ids(aqm), ids(adm)]).toEqual([[5, 6], [4], []]);
  });

  it('[ap:105] are three; but the third may be nothing behind a newline', () => {
    expect(() => parseApConfig('0x06,0x08')).toThrow(invalid);
    expect(ids(parseApConfig('0x06,0x08\n').adm)).toEqual([]);
  });

  it('[ap:106] are not changes', () => {
    expect(() => parseApConfig('+5,+4,+0')).toThrow(invalid);
  });

  it('[ap:111] end at the 201st character', () => {
    const three = `0x${zeroes},0x${zeroes},0x${zeroes}\n`;
    expect(ids(parseApConfig(`${three}nonsense`).apm)).toEqual([]);
    const last = `0x${zeroes},0x${zeroes},0x${zeroes.slice(1)}1\n`;
    expect(last).toHaveLength(201);
    expect(ids(parseApConfig(last).adm)).toEqual([255]);
    expect(() => parseApConfig(`0x${zeroes},nonsense,0x0\n`)).toThrow(invalid);
  });
});
