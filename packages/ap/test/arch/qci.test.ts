import { ApMask, decodeQci, encodeQci, highestIds, qciUsable, sameQci } from '@vfiokit/ap';
import { describe, expect, it } from 'vitest';

describe('the configuration block', () => {
  const flags = { apsc: true, apxa: true, qact: false, rc8a: false, apsb: true };
  const info = {
    flags,
    na: 63,
    nd: 0x54,
    apm: ApMask.of(5, 6),
    aqm: ApMask.of(4, 0x47),
    adm: ApMask.of(4),
  };

  it('has 128 bytes: flags, limits, and masks at 16, 48 and 80', () => {
    const bytes = encodeQci(info);
    expect(bytes).toHaveLength(128);
    expect([...bytes.subarray(0, 6)]).toEqual([0xc0, 0x80, 0, 0, 63, 0x54]);
    expect(bytes[16]).toBe(0x06);
    expect([bytes[48], bytes[48 + 8]]).toEqual([0x08, 0x01]);
    expect(bytes[80]).toBe(0x08);
  });

  it('reads back as it was written', () => {
    expect(sameQci(decodeQci(encodeQci(info)), info)).toBe(true);
    expect(sameQci({ ...info, na: 62 }, info)).toBe(false);
    expect(sameQci({ ...info, flags: { ...flags, qact: true } }, info)).toBe(false);
  });

  it('is of no use without any flag', () => {
    const none = { apsc: false, apxa: false, qact: false, rc8a: false, apsb: false };
    expect(qciUsable({ ...info, flags: none })).toBe(false);
    expect(qciUsable(undefined)).toBe(false);
    expect(qciUsable(info)).toBe(true);
  });

  it('tells the highest ids with extended addressing only', () => {
    expect(highestIds(info)).toEqual({ apid: 63, apqi: 0x54 });
    expect(highestIds({ ...info, na: 200, flags: { ...flags, apxa: false } })).toEqual({
      apid: 63,
      apqi: 15,
    });
    expect(highestIds(undefined)).toEqual({ apid: 63, apqi: 15 });
  });
});
