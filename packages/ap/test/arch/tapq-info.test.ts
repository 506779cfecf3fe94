import { decodeTapqInfo, encodeTapqInfo, formatFunctions, type TapqInfo } from '@vfiokit/ap';
import { describe, expect, it } from 'vitest';

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
