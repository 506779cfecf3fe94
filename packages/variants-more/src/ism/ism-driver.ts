import { DEVICE_OVERRIDES, OPS_NAME, type VfioPciDriver } from '@vfiokit/core';
import type { PciDevice } from '@vfiokit/pci';
import { VfioError } from '@vfiokit/uapi';
import type { IsmInstructions } from './ism-platform.js';
import { ismRegions } from './ism-regions.js';

/** BAR 0 is 256 TiB, so regions are further apart than elsewhere. */
export const ISM_OFFSET_SHIFT = 48;

/** IBM's internal shared memory. */
export const ISM_IDS = { vendor: 0x1014, device: 0x04ed } as const;

/** The driver of IBM's internal shared memory on s390 (drivers/vfio/pci/ism). */
export function ismDriver(
  instructions: (pdev: PciDevice) => IsmInstructions | undefined,
): VfioPciDriver {
  return {
    name: 'ism_vfio_pci',
    ids: [ISM_IDS],
    offsetShift: ISM_OFFSET_SHIFT,
    dmaBuf: false,
    probe(pdev, container) {
      const ops = instructions(pdev);
      if (ops === undefined)
        throw new VfioError('ENODEV', `${pdev.name}: can't be reached by PCI instructions`);
      container.register(OPS_NAME, { useValue: 'ism-vfio-pci' });
      container.register(DEVICE_OVERRIDES, { useValue: ismRegions(ops) });
    },
  };
}
