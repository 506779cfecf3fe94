import { apidOf, apqiOf, apqnOf, formatApqn, parseApqn } from '@vfiokit/ap';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

describe('an APQN', () => {
  it('is the adapter and the domain side by side', () => {
    expect(apqnOf(5, 0xab)).toBe(0x05ab);
    expect(formatApqn(0x05ab)).toBe('05.00ab');
    expect(parseApqn('05.00ab')).toBe(0x05ab);
  });

  it('survives being taken apart and being written', () => {
    fc.assert(
      fc.property(fc.nat(0xffff), (apqn) => {
        expect(apqnOf(apidOf(apqn), apqiOf(apqn))).toBe(apqn);
        expect(parseApqn(formatApqn(apqn))).toBe(apqn);
      }),
    );
  });

  it.each(['5.0004', '05.004', '05.0100', '05.00AB', 'card05', ''])('is not "%s"', (text) => {
    expect(parseApqn(text)).toBeUndefined();
  });
});
