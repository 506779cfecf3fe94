import { decodeAqic, decodePqap, encodeAqic, encodePqap } from '@vfiokit/ap';
import { describe, expect, it } from 'vitest';

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
