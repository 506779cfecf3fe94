import {
  ApMask,
  apidOf,
  apqiOf,
  apqnOf,
  conditionCode,
  decodeAqic,
  decodePqap,
  decodeQci,
  decodeTapqInfo,
  encodeAqic,
  encodePqap,
  encodeQci,
  encodeTapqInfo,
  formatApqn,
  formatFunctions,
  highestIds,
  parseApqn,
  qciUsable,
  queueStatus,
  responseCode,
  sameQci,
  type TapqInfo,
} from '@vfiokit/ap';
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

describe('a queue status', () => {
  it('has the response code in bits 8 to 15 and the enabled bit in bit 7', () => {
    expect(queueStatus(0x36, 0x0100_0000)).toBe(0x0136_0000);
    expect(responseCode(0x8136_0000)).toBe(0x36);
  });

  it('gives condition code 0 for a normal response and 3 for any other', () => {
    expect(conditionCode(0x8000_0000)).toBe(0);
    expect(conditionCode(0x0001_0000)).toBe(3);
  });
});

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

describe('what TAPQ tells', () => {
  const info: TapqInfo = {
    functions: {
      apsc: true,
      ap4km: false,
      ap4kc: true,
      mode: 'ep11',
      apxa: true,
      commandFilter: false,
      class: 0x21,
    },
    bindState: 2,
    type: 13,
    domains: 85,
    maxMessagePages: 3,
    depthMinusOne: 7,
  };

  it('lies in the bits of the register that the architecture gives it', () => {
    expect(encodeTapqInfo(info)).toBe(0xa621_8000_0d55_0307n);
  });

  it('reads back as it was written', () => {
    expect(decodeTapqInfo(0xa621_8000_0d55_0307n)).toEqual(info);
  });

  it('is shown by its upper half', () => {
    expect(formatFunctions(info)).toBe('0xA6218000');
  });
});

describe('the registers of PQAP', () => {
  it('hold function code, T bit and APQN', () => {
    expect(encodePqap(3, 0x05ab)).toBe(0x0300_05abn);
    expect(decodePqap(0x0084_05abn)).toEqual({ code: 0, t: true, reserved: 4, apqn: 0x05ab });
  });

  it('hold enable and subclass for AQIC', () => {
    expect(encodeAqic(true, 5)).toBe(0x0000_8000_0000_0005n);
    expect(decodeAqic(0x0000_8000_0000_0003n)).toEqual({ enable: true, isc: 3 });
  });
});
