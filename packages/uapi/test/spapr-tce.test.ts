import { expect, test } from 'vitest';
import {
  vfioIommuSpaprRegisterMemory,
  vfioIommuSpaprTceCreate,
  vfioIommuSpaprTceDdwInfo,
  vfioIommuSpaprTceInfo,
  vfioIommuSpaprTceRemove,
} from '../src/index.js';
import * as module from '../src/spapr-tce.js';
import { describeConstants, describeLayout, hex } from './layout.js';

describeLayout(vfioIommuSpaprTceDdwInfo, 16, {
  pgsizes: 0,
  maxDynamicWindowsSupported: 8,
  levels: 12,
});
describeLayout(vfioIommuSpaprTceInfo, 32, {
  argsz: 0,
  flags: 4,
  dma32WindowStart: 8,
  dma32WindowSize: 12,
  ddw: 16,
});
describeLayout(vfioIommuSpaprRegisterMemory, 24, { argsz: 0, flags: 4, vaddr: 8, size: 16 });
describeLayout(vfioIommuSpaprTceCreate, 40, {
  argsz: 0,
  flags: 4,
  pageShift: 8,
  resv1: 12,
  windowSize: 16,
  levels: 24,
  resv2: 28,
  startAddr: 32,
});
describeLayout(vfioIommuSpaprTceRemove, 16, { argsz: 0, flags: 4, startAddr: 8 });

describeConstants('spapr-tce.ts', module, { VFIO_IOMMU_SPAPR_INFO_DDW: 1 });

test('a recorded answer of VFIO_IOMMU_SPAPR_TCE_CREATE: 256 MiB of 64 KiB pages at 2^59', () => {
  const answer = hex(
    '28000000 00000000 10000000 00000000 0000001000000000 01000000 00000000 0000000000000008',
  );
  expect(vfioIommuSpaprTceCreate.decode(answer)).toMatchObject({
    pageShift: 16,
    windowSize: 0x10000000n,
    levels: 1,
    startAddr: 1n << 59n,
  });
});
