import { iommuFromRegisters, kernelRelease, parseReservedRegions } from '@vfiokit/iommu';
import { describe, expect, test } from 'vitest';

describe('IOMMUs from their registers', () => {
  test('VT-d: pages, width, interrupt remapping, snoop control', () => {
    const iommu = iommuFromRegisters({ name: 'dmar0', cap: '80d2008c222f0606', ecap: 'f00f4a' })!;
    expect(iommu).toMatchObject({
      driver: 'dmar',
      pageSizes: 0x40201000n,
      aperture: { start: 0, end: 2 ** 48 },
      isolatedMsi: true,
      enforcesCacheCoherency: false,
      dirtyTracking: false,
      pasidBits: 0,
    });
    expect(
      iommuFromRegisters({ name: 'dmar0', cap: '80d2008c22260206', ecap: 'f42' }),
    ).toMatchObject({
      aperture: { end: 2 ** 39 },
      isolatedMsi: false,
    });
    const modern = iommuFromRegisters({
      name: 'dmar1',
      cap: '19ed008c40780c66',
      ecap: '219804000088',
    })!;
    expect(modern).toMatchObject({
      nesting: 1,
      pasidBits: 20,
      dirtyTracking: true,
      enforcesCacheCoherency: true,
    });
    expect([...new BigUint64Array(modern.info!.data.buffer)]).toEqual([
      0n,
      0x19ed008c40780c66n,
      0x219804000088n,
    ]);
  });

  test('AMD, z and POWER are what their drivers make of them', () => {
    expect(
      iommuFromRegisters({ name: 'ivhd0', cap: '1f03000f', features: '29d3:0' }),
    ).toMatchObject({
      pageSizes: 0x000fff7ffffff000n,
      aperture: { end: 2 ** 64 },
    });
    expect(iommuFromRegisters({ name: 's390-iommu.00000008' })).toMatchObject({
      pageSizes: 0x1000n,
    });
    expect(iommuFromRegisters({ name: 'iommu-phb0000' })).toMatchObject({
      tce: { name: 'pseries' },
    });
    expect(iommuFromRegisters({ name: 'something' })).toBeUndefined();
  });

  test('reserved regions are lines of a file', () => {
    expect(parseReservedRegions(['0x00000000fee00000 0x00000000feefffff msi\n', ''])).toEqual([
      { start: 0xfee00000n, end: 0xfeefffffn, type: 'msi' },
    ]);
  });

  test('kernels up to 6.12 are like that one', () => {
    expect(['6.12.107+deb13-s390x', '5.10.0', '6.13.1', '7.2.12'].map(kernelRelease)).toEqual([
      '6.12',
      '6.12',
      '7.2',
      '7.2',
    ]);
  });
});
