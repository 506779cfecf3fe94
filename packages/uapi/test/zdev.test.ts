import { describe, expect, test } from 'vitest';
import {
  encodeCapabilities,
  layoutCapabilities,
  zpciBaseCapability,
  zpciGroupCapability,
  zpciPfipCapability,
  zpciUtilCapability,
} from '../src/index.js';
import * as module from '../src/zdev.js';
import { describeConstants, hex } from './layout.js';

describeConstants('zdev.ts', module, {
  VFIO_DEVICE_INFO_CAP_ZPCI_BASE: 1,
  VFIO_DEVICE_INFO_CAP_ZPCI_GROUP: 2,
  VFIO_DEVICE_INFO_CAP_ZPCI_UTIL: 3,
  VFIO_DEVICE_INFO_CAP_ZPCI_PFIP: 4,
  VFIO_DEVICE_INFO_ZPCI_FLAG_REFRESH: 1,
});

// The values that a virtual zPCI function has, as recorded.
const base = {
  startDma: 0x1_0000_0000n,
  endDma: 0x1_3fff_ffffn,
  pchid: 0x0102,
  vfn: 0x0304,
  fmbLength: 0x40,
  pft: 5,
  gid: 0xff,
  fh: 0x80020000,
};
const group = {
  dasm: 0x10n,
  msiAddr: 0xfe00_0000_0000_0000n,
  flags: 1n,
  mui: 4000,
  noi: 128,
  maxstbl: 128,
  version: 2,
  reserved: 0,
  imaxstbl: 4096,
};
const util = new Uint8Array(64).fill(0xc1);
const pfip = hex('01020304');

describe('the capabilities of a zPCI function', () => {
  test('[derived:74] base: 40 bytes with the header, the function handle at 32', () => {
    expect(encodeCapabilities(24, [zpciBaseCapability.encode(base)])).toEqual(
      hex(
        '0100 0200 00000000 0000000001000000 ffffff3f01000000' +
          '0201 0403 4000 05 ff 00000280 00000000',
      ),
    );
  });

  test('group: 48 bytes with the header, the longest interpreted store block at 40', () => {
    expect(encodeCapabilities(24, [zpciGroupCapability.encode(group)])).toEqual(
      hex(
        '0200 0200 00000000 1000000000000000 00000000000000fe 0100000000000000' +
          'a00f 8000 8000 02 00 0010 000000000000',
      ),
    );
  });

  test('util: 76 bytes, padded to 80, the string at 12', () => {
    const bytes = encodeCapabilities(24, [zpciUtilCapability.encode(util)]);
    expect(bytes).toHaveLength(80);
    expect(bytes.subarray(0, 13)).toEqual(hex('0300 0100 00000000 40000000 c1'));
    expect(bytes.subarray(75)).toEqual(hex('c1 00000000'));
  });

  test('pfip: 16 bytes', () => {
    expect(encodeCapabilities(24, [zpciPfipCapability.encode(pfip)])).toEqual(
      hex('0400 0100 00000000 04000000 01020304'),
    );
  });

  test('[derived:79] stand at 24, 64, 112 and 192, 208 bytes in all; without a string 128', () => {
    const all = [
      zpciBaseCapability.encode(base),
      zpciGroupCapability.encode(group),
      zpciUtilCapability.encode(util),
      zpciPfipCapability.encode(pfip),
    ];
    const { argsz, chain } = layoutCapabilities(24, 208, all);
    const nexts = [24, 64, 112].map((at) =>
      new DataView(chain.buffer).getUint32(at - 24 + 4, true),
    );
    expect({ argsz, nexts, length: chain.length }).toEqual({
      argsz: 208,
      nexts: [64, 112, 192],
      length: 184,
    });
    expect(layoutCapabilities(24, 0, [all[0]!, all[1]!, all[3]!]).argsz).toBe(128);
  });

  test('come back as they went', () => {
    expect(zpciBaseCapability.decode(zpciBaseCapability.encode(base))).toEqual(base);
    expect(zpciGroupCapability.decode(zpciGroupCapability.encode(group))).toEqual(group);
    expect(zpciUtilCapability.decode(zpciUtilCapability.encode(util))).toEqual(util);
    expect(zpciPfipCapability.decode(zpciPfipCapability.encode(pfip))).toEqual(pfip);
  });

  test('of version 1 have no function handle and no interpreted store block', () => {
    const v1 = { version: 1 };
    expect(zpciBaseCapability.decode({ ...zpciBaseCapability.encode(base), ...v1 })).toEqual({
      ...base,
      fh: 0,
    });
    expect(zpciGroupCapability.decode({ ...zpciGroupCapability.encode(group), ...v1 })).toEqual({
      ...group,
      imaxstbl: 0,
    });
  });
});
