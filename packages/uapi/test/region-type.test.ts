import { describe, expect, test } from 'vitest';
import { regionTypeName, vendorRegionType, vfioRegionGfxEdid } from '../src/index.js';
import * as module from '../src/region-type.js';
import { describeConstants, describeLayout } from './layout.js';

describeLayout(vfioRegionGfxEdid, 24, {
  edidOffset: 0,
  edidMaxSize: 4,
  edidSize: 8,
  maxXres: 12,
  maxYres: 16,
  linkState: 20,
});

describeConstants('region-type.ts', module, {
  VFIO_REGION_TYPE_PCI_VENDOR_TYPE: 0x80000000,
  VFIO_REGION_TYPE_PCI_VENDOR_MASK: 0xffff,
  VFIO_REGION_TYPE_GFX: 1,
  VFIO_REGION_TYPE_CCW: 2,
  VFIO_REGION_TYPE_MIGRATION_DEPRECATED: 3,
  VFIO_REGION_SUBTYPE_INTEL_IGD_OPREGION: 1,
  VFIO_REGION_SUBTYPE_INTEL_IGD_HOST_CFG: 2,
  VFIO_REGION_SUBTYPE_INTEL_IGD_LPC_CFG: 3,
  VFIO_REGION_SUBTYPE_NVIDIA_NVLINK2_RAM: 1,
  VFIO_REGION_SUBTYPE_IBM_NVLINK2_ATSD: 1,
  VFIO_REGION_SUBTYPE_GFX_EDID: 1,
  VFIO_REGION_SUBTYPE_CCW_ASYNC_CMD: 1,
  VFIO_REGION_SUBTYPE_CCW_SCHIB: 2,
  VFIO_REGION_SUBTYPE_CCW_CRW: 3,
  VFIO_REGION_SUBTYPE_MIGRATION_DEPRECATED: 1,
  VFIO_DEVICE_GFX_LINK_STATE_UP: 1,
  VFIO_DEVICE_GFX_LINK_STATE_DOWN: 2,
});

describe('the type of a region', () => {
  test.each([
    [0x80008086, 1, 'INTEL_IGD_OPREGION'],
    [0x80008086, 3, 'INTEL_IGD_LPC_CFG'],
    [0x800010de, 1, 'NVIDIA_NVLINK2_RAM'],
    [0x80001014, 1, 'IBM_NVLINK2_ATSD'],
    [1, 1, 'GFX_EDID'],
    [2, 3, 'CCW_CRW'],
    [3, 1, 'MIGRATION_DEPRECATED'],
    [0x80008086, 9, 'type 0x80008086 subtype 9'],
    [0x8000beef, 1, 'type 0x8000beef subtype 1'],
  ])('0x%s with subtype %i is %s', (type, subtype, name) => {
    expect(regionTypeName(type, subtype)).toBe(name);
  });

  test('of a vendor is its id with the top bit set, unsigned', () => {
    expect(vendorRegionType(0x8086)).toBe(0x80008086);
    expect(vendorRegionType(0xffff)).toBe(0x8000ffff);
  });
});
