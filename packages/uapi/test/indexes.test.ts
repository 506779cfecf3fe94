import { expect, test } from 'vitest';
import { pciIrqName, pciRegionName } from '../src/index.js';
import * as module from '../src/indexes.js';
import { describeConstants } from './layout.js';

describeConstants('indexes.ts', module, {
  VFIO_PCI_BAR0_REGION_INDEX: 0,
  VFIO_PCI_BAR1_REGION_INDEX: 1,
  VFIO_PCI_BAR2_REGION_INDEX: 2,
  VFIO_PCI_BAR3_REGION_INDEX: 3,
  VFIO_PCI_BAR4_REGION_INDEX: 4,
  VFIO_PCI_BAR5_REGION_INDEX: 5,
  VFIO_PCI_ROM_REGION_INDEX: 6,
  VFIO_PCI_CONFIG_REGION_INDEX: 7,
  VFIO_PCI_VGA_REGION_INDEX: 8,
  VFIO_PCI_NUM_REGIONS: 9,
  VFIO_PCI_INTX_IRQ_INDEX: 0,
  VFIO_PCI_MSI_IRQ_INDEX: 1,
  VFIO_PCI_MSIX_IRQ_INDEX: 2,
  VFIO_PCI_ERR_IRQ_INDEX: 3,
  VFIO_PCI_REQ_IRQ_INDEX: 4,
  VFIO_PCI_NUM_IRQS: 5,
  VFIO_CCW_CONFIG_REGION_INDEX: 0,
  VFIO_CCW_NUM_REGIONS: 1,
  VFIO_CCW_IO_IRQ_INDEX: 0,
  VFIO_CCW_CRW_IRQ_INDEX: 1,
  VFIO_CCW_REQ_IRQ_INDEX: 2,
  VFIO_CCW_NUM_IRQS: 3,
  VFIO_AP_REQ_IRQ_INDEX: 0,
  VFIO_AP_CFG_CHG_IRQ_INDEX: 1,
  VFIO_AP_NUM_IRQS: 2,
});

test('regions and interrupts of a PCI device have the names that people use', () => {
  expect([0, 5, 6, 7, 8, 9].map(pciRegionName)).toEqual([
    'BAR0',
    'BAR5',
    'ROM',
    'CONFIG',
    'VGA',
    'region 9',
  ]);
  expect([0, 1, 2, 3, 4, 5].map(pciIrqName)).toEqual([
    'INTx',
    'MSI',
    'MSI-X',
    'ERR',
    'REQ',
    'irq 5',
  ]);
});
