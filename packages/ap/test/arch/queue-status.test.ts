import { conditionCode, queueStatus, responseCode } from '@vfiokit/ap';
import { describe, expect, it } from 'vitest';

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
