import { encodeCapabilities } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import { zpciInfoCapabilities } from '../src/index.js';
import { RECORDED_CHAIN, RECORDED_WIDTHS, recordedFunction } from './recorded-function.js';

const INFO_SIZE = 24;
const UTIL = Uint8Array.from({ length: 64 }, (_, i) => 0xc1 + (i % 9));

/** The chain as GET_INFO delivers it, with offsets from the start of the info structure. */
function chainOf(...args: Parameters<typeof recordedFunction>): DataView {
  const chain = encodeCapabilities(INFO_SIZE, zpciInfoCapabilities(recordedFunction(...args)));
  const whole = new Uint8Array(INFO_SIZE + chain.length);
  whole.set(chain, INFO_SIZE);
  return new DataView(whole.buffer);
}

/** Offset and id of each entry. */
function entries(info: DataView): [offset: number, id: number, version: number][] {
  const found: [number, number, number][] = [];
  for (let at = INFO_SIZE; at !== 0; at = info.getUint32(at + 4, true))
    found.push([at, info.getUint16(at, true), info.getUint16(at + 2, true)]);
  return found;
}

describe('what GET_INFO tells of a function on s390', () => {
  it('[derived:73 derived:79] is BASE, GROUP, UTIL, PFIP at 24, 64, 112, 192, and ends at 208', () => {
    const info = chainOf({ util: UTIL });
    expect(entries(info)).toEqual([
      [24, 1, 2],
      [64, 2, 2],
      [112, 3, 1],
      [192, 4, 1],
    ]);
    expect(info.byteLength).toBe(208);
  });

  it('[derived:77 derived:79] has no UTIL unless firmware marks the string valid, and ends at 128 then', () => {
    const info = chainOf();
    expect(entries(info).map(([offset, id]) => [offset, id])).toEqual([
      [24, 1],
      [64, 2],
      [112, 4],
    ]);
    expect(info.byteLength).toBe(128);
    expect(chainOf({ util: UTIL }).getUint32(112 + 8, true)).toBe(64);
  });

  it('[derived:74] has the function handle at offset 32 of BASE, behind what version 1 had', () => {
    const info = chainOf({ pchid: 0x1c0, vfn: 3, fmbLength: 16, pft: 5, gid: 7, fh: 0x80050001 });
    expect(info.getBigUint64(24 + 8, true)).toBe(0x1_0000_0000n);
    expect(info.getBigUint64(24 + 16, true)).toBe(0x1_3fff_ffffn);
    expect(info.getUint16(24 + 24, true)).toBe(0x1c0);
    expect(info.getUint16(24 + 26, true)).toBe(3);
    expect(info.getUint16(24 + 28, true)).toBe(64);
    expect(info.getUint8(24 + 30)).toBe(5);
    expect(info.getUint8(24 + 31)).toBe(7);
    expect(info.getUint32(24 + 32, true)).toBe(0x80050001);
  });

  it('[derived:75] has maxstbl 128 and the real limit as imaxstbl in GROUP', () => {
    const info = chainOf({}, { maxstbl: 0x1000, mui: 2, noi: 0x1fff, version: 1, dasm: 7n });
    expect(info.getBigUint64(64 + 8, true)).toBe(7n);
    expect(info.getBigUint64(64 + 16, true)).toBe(0xfe00_0000_0000_0000n);
    expect(info.getUint16(64 + 32, true)).toBe(2);
    expect(info.getUint16(64 + 34, true)).toBe(0xfff);
    expect(info.getUint16(64 + 36, true)).toBe(128);
    expect(info.getUint8(64 + 38)).toBe(1);
    expect(info.getUint16(64 + 40, true)).toBe(0x1000);
  });

  it('[derived:76] says that translations are to be refreshed, whatever firmware says', () => {
    expect(chainOf({}, { refresh: false }).getBigUint64(64 + 24, true) & 1n).toBe(1n);
  });

  it('[derived:78] has a path of 4 bytes in PFIP', () => {
    const info = chainOf({ pfip: Uint8Array.of(1, 2, 3, 4) });
    expect(info.getUint32(112 + 8, true)).toBe(4);
    expect([...new Uint8Array(info.buffer, 112 + 12, 4)]).toEqual([1, 2, 3, 4]);
  });

  it('is what a real kernel delivered for the same function', () => {
    const recorded = Buffer.from(RECORDED_CHAIN, 'hex');
    let at = 0;
    for (const width of RECORDED_WIDTHS) {
      recorded.subarray(at, at + width).reverse();
      at += width;
    }
    const chain = new Uint8Array(chainOf().buffer, INFO_SIZE);
    expect(Buffer.from(chain).toString('hex')).toBe(recorded.toString('hex'));
  });
});
