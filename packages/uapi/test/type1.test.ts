import { expect, test } from 'vitest';
import {
  decodeCapabilities,
  dmaAvailCapability,
  findCapability,
  iovaRangeCapability,
  layoutCapabilities,
  type1MigrationCapability,
  vfioBitmap,
  vfioIommuType1DirtyBitmap,
  vfioIommuType1DirtyBitmapGet,
  vfioIommuType1DmaMap,
  vfioIommuType1DmaUnmap,
  vfioIommuType1Info,
  vfioIovaRange,
} from '../src/index.js';
import * as module from '../src/type1.js';
import { describeConstants, describeLayout, hex } from './layout.js';

describeLayout(vfioIommuType1Info, 24, {
  argsz: 0,
  flags: 4,
  iovaPgsizes: 8,
  capOffset: 16,
  pad: 20,
});
describeLayout(vfioIovaRange, 16, { start: 0, end: 8 });
describeLayout(vfioIommuType1DmaMap, 32, { argsz: 0, flags: 4, vaddr: 8, iova: 16, size: 24 });
describeLayout(vfioBitmap, 24, { pgsize: 0, size: 8, data: 16 });
describeLayout(vfioIommuType1DmaUnmap, 24, { argsz: 0, flags: 4, iova: 8, size: 16 });
describeLayout(vfioIommuType1DirtyBitmap, 8, { argsz: 0, flags: 4 });
describeLayout(vfioIommuType1DirtyBitmapGet, 40, { iova: 0, size: 8, bitmap: 16 });

describeConstants('type1.ts', module, {
  VFIO_IOMMU_INFO_PGSIZES: 1,
  VFIO_IOMMU_INFO_CAPS: 2,
  VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE: 1,
  VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION: 2,
  VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL: 3,
  VFIO_DMA_MAP_FLAG_READ: 1,
  VFIO_DMA_MAP_FLAG_WRITE: 2,
  VFIO_DMA_MAP_FLAG_VADDR: 4,
  VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP: 1,
  VFIO_DMA_UNMAP_FLAG_ALL: 2,
  VFIO_DMA_UNMAP_FLAG_VADDR: 4,
  VFIO_IOMMU_DIRTY_PAGES_FLAG_START: 1,
  VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP: 2,
  VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP: 4,
});

// Recorded behind an Intel IOMMU with 48 bits: two ranges around the MSI doorbells.
const RECORDED = hex(
  '78000000 03000000 0010204000000000 18000000 00000000' +
    '0200 0100 38000000 00000000 00000000 0010000000000000 0000001000000000' +
    '0300 0100 48000000 ffff0000 00000000' +
    '0100 0100 00000000 02000000 00000000' +
    '0000000000000000 ffffdffe00000000 0000f0fe00000000 ffffffffffff0000',
);

const capabilities = [
  type1MigrationCapability.encode({
    flags: 0,
    pgsizeBitmap: 0x1000n,
    maxDirtyBitmapSize: 0x1000_0000n,
  }),
  dmaAvailCapability.encode({ avail: 0xffff }),
  iovaRangeCapability.encode([
    { start: 0n, end: 0xfedfffffn },
    { start: 0xfef00000n, end: 0xffff_ffff_ffffn },
  ]),
];

test('two ranges need 120 bytes, with the capabilities at 24, 56 and 72', () => {
  expect(layoutCapabilities(24, 119, capabilities)).toMatchObject({ argsz: 120, capOffset: 0 });
  const { chain, capOffset } = layoutCapabilities(24, 120, capabilities);
  expect(capOffset).toBe(24);
  expect(chain).toEqual(RECORDED.subarray(24));
});

test('the capabilities of a recorded answer of VFIO_IOMMU_GET_INFO', () => {
  const info = vfioIommuType1Info.decode(RECORDED);
  expect(info).toMatchObject({ flags: 3, iovaPgsizes: 0x40201000n });
  const chain = decodeCapabilities(RECORDED, info.capOffset, 24).capabilities;
  expect(chain.map(({ id, version }) => [id, version])).toEqual([
    [2, 1],
    [3, 1],
    [1, 1],
  ]);
  expect(findCapability(chain, dmaAvailCapability)).toEqual({ avail: 65535 });
  expect(findCapability(chain, iovaRangeCapability)?.[1]?.start).toBe(0xfef00000n);
  expect(findCapability(chain, type1MigrationCapability)?.maxDirtyBitmapSize).toBe(268435456n);
});
