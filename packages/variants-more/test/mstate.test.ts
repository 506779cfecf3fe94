import { describe, expect, it } from 'vitest';
import { decodeMstate, encodeMstate, findSection, mstateLength } from '../src/qat/mstate.js';

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');
const SECTIONS = [
  { id: 'CONFIG', content: [{ id: 'gencap', content: Uint8Array.of(1, 2, 3, 4) }] },
  {
    id: 'ETRBAR',
    content: [{ id: 'bnk1f', content: [{ id: 'mregs', content: Uint8Array.of(9) }] }],
  },
];

describe('a part of the state of a QuickAssist VF', () => {
  it('is a preamble of 16 bytes, and sections with headers of 16', () => {
    const bytes = encodeMstate(SECTIONS);
    const view = new DataView(bytes.buffer);
    expect([view.getUint32(0, true), view.getUint32(4, true)]).toEqual([0xadf5caea, 1]);
    expect([view.getUint16(8, true), view.getUint16(10, true)]).toEqual([16, 2]);
    expect(view.getUint32(12, true)).toBe(bytes.length - 16);
    expect(text(bytes.subarray(16, 24))).toBe('CONFIG\0\0');
    expect([view.getUint32(24, true), view.getUint32(28, true)]).toEqual([20, 1]);
    expect(text(bytes.subarray(32, 40))).toBe('gencap\0\0');
    expect([view.getUint32(40, true), view.getUint32(44, true)]).toEqual([4, 0]);
    expect([...bytes.subarray(48, 52)]).toEqual([1, 2, 3, 4]);
    expect(text(bytes.subarray(52, 60))).toBe('ETRBAR\0\0');
    expect(bytes).toHaveLength(52 + 3 * 16 + 1);
  });

  it('comes back as it was, whatever follows', () => {
    const bytes = encodeMstate(SECTIONS);
    const longer = new Uint8Array(200);
    longer.set(bytes);
    expect(mstateLength(longer)).toBe(bytes.length);
    const sections = decodeMstate(longer)!;
    expect(sections).toEqual(SECTIONS);
    expect(findSection(sections, ['ETRBAR', 'bnk1f', 'mregs'])).toEqual(Uint8Array.of(9));
    for (const path of [['ETRBAR'], ['CONFIG', 'extdc'], ['CONFIG', 'gencap', 'x']])
      expect(findSection(sections, path)).toBeUndefined();
  });

  it('is not there before its preamble is, and none with another magic or version', () => {
    const bytes = encodeMstate(SECTIONS);
    expect(mstateLength(bytes.subarray(0, 15))).toBeUndefined();
    for (const at of [0, 4, 8]) {
      const changed = bytes.slice();
      changed[at]! ^= 1;
      expect([mstateLength(changed), decodeMstate(changed)]).toEqual([-1, undefined]);
    }
  });

  it('has sections that add up to it, and none that is cut', () => {
    const bytes = encodeMstate(SECTIONS);
    expect(decodeMstate(bytes.subarray(0, -1))).toBeUndefined();
    for (const at of [10, 12, 24, 28, 40]) {
      const changed = bytes.slice();
      changed[at]! += 1;
      expect(decodeMstate(changed), `byte ${at}`).toBeUndefined();
    }
  });
});
