import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeRegionInfo,
  layoutCapabilities,
  msixMappableCapability,
  nvlink2LnkspdCapability,
  nvlink2SsatgtCapability,
  regionTypeCapability,
  sparseMmapCapability,
  vfioRegionInfo,
  vfioRegionSparseMmapArea,
} from '../src/index.js';
import * as module from '../src/region-info.js';
import { describeConstants, describeLayout, hex } from './layout.js';

describeLayout(vfioRegionInfo, 32, {
  argsz: 0,
  flags: 4,
  index: 8,
  capOffset: 12,
  size: 16,
  offset: 24,
});
describeLayout(vfioRegionSparseMmapArea, 16, { offset: 0, size: 8 });

describeConstants('region-info.ts', module, {
  VFIO_REGION_INFO_FLAG_READ: 1,
  VFIO_REGION_INFO_FLAG_WRITE: 2,
  VFIO_REGION_INFO_FLAG_MMAP: 4,
  VFIO_REGION_INFO_FLAG_CAPS: 8,
  VFIO_REGION_INFO_CAP_SPARSE_MMAP: 1,
  VFIO_REGION_INFO_CAP_TYPE: 2,
  VFIO_REGION_INFO_CAP_MSIX_MAPPABLE: 3,
  VFIO_REGION_INFO_CAP_NVLINK2_SSATGT: 4,
  VFIO_REGION_INFO_CAP_NVLINK2_LNKSPD: 5,
});

const bodyOf = (capability: { body: Uint8Array }) => Buffer.from(capability.body).toString('hex');

describe('the capabilities of a region', () => {
  test('sparse mmap: a count, 4 reserved bytes, then 16 bytes an area', () => {
    const areas = [{ offset: 0x1000n, size: 0x2000n }];
    const capability = sparseMmapCapability.encode(areas);
    expect(capability).toMatchObject({ id: 1, version: 1 });
    expect(bodyOf(capability)).toBe('0100000000000000' + '0010000000000000' + '0020000000000000');
    expect(sparseMmapCapability.decode(capability)).toEqual(areas);
  });

  test('sparse mmap: areas that are not there are not decoded', () => {
    const body = hex(
      'ffffffff 00000000' + '0010000000000000 0020000000000000' + '0030000000000000',
    );
    expect(sparseMmapCapability.decode({ id: 1, version: 1, body })).toEqual([
      { offset: 0x1000n, size: 0x2000n },
    ]);
  });

  test('type: two numbers', () => {
    const capability = regionTypeCapability.encode({ type: 0x80008086, subtype: 1 });
    expect(capability).toMatchObject({ id: 2, version: 1 });
    expect(bodyOf(capability)).toBe('8680008001000000');
  });

  test('MSI-X mappable: nothing but the header', () => {
    expect(msixMappableCapability.encode({})).toEqual({ id: 3, version: 1, body: hex('') });
  });

  test('NVLink2: 8 bytes each', () => {
    expect(bodyOf(nvlink2SsatgtCapability.encode({ tgt: 0x1_0000_0000n }))).toBe(
      '0000000001000000',
    );
    expect(bodyOf(nvlink2LnkspdCapability.encode({ linkSpeed: 8, pad: 0 }))).toBe(
      '0800000000000000',
    );
    expect([nvlink2SsatgtCapability.id, nvlink2LnkspdCapability.id]).toEqual([4, 5]);
  });
});

describe('an answer of VFIO_DEVICE_GET_REGION_INFO', () => {
  test('recorded from BAR3 of an e1000e: the MSI-X table can be mapped', () => {
    const answer = hex(
      '28000000 0f000000 03000000 20000000 0040000000000000 0000000000030000' + '0300010000000000',
    );
    expect(decodeRegionInfo(answer)).toMatchObject({
      index: 3,
      flags: 15,
      size: 0x4000,
      position: 0x30000000000,
      msixMappable: true,
      sparseMmap: undefined,
      type: undefined,
    });
  });

  test('too short for its capabilities has the flag and none of them', () => {
    const answer = hex('28000000 0f000000 03000000 00000000 0040000000000000 0000000000030000');
    expect(decodeRegionInfo(answer)).toMatchObject({ flags: 15, capabilities: [] });
    expect(decodeRegionInfo(answer).fault).toBeUndefined();
  });

  test('brings type and areas along', () => {
    const { argsz, capOffset, chain } = layoutCapabilities(32, 4096, [
      regionTypeCapability.encode({ type: 1, subtype: 1 }),
      sparseMmapCapability.encode([{ offset: 0n, size: 4096n }]),
    ]);
    const fixed = vfioRegionInfo.encode({ argsz, flags: 15, index: 9, capOffset, size: 8192n });
    const info = decodeRegionInfo(Uint8Array.from([...fixed, ...chain]));
    expect(info.type).toEqual({ type: 1, subtype: 1 });
    expect(info.sparseMmap).toEqual([{ offset: 0n, size: 4096n }]);
  });

  test('can be any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (answer) => {
        expect(() => decodeRegionInfo(answer)).not.toThrow();
      }),
    );
  });
});
