import { DEVICE_OVERRIDES, DEVICE_REGIONS, type VfioPciDriver } from '@vfiokit/core';
import { DEVICE, VENDOR } from './ids.js';
import { REVISION_OVERRIDE } from './revision.js';
import { scratchRegion } from './scratch-region.js';

/** The driver of toy's functions. It is taken only for functions whose `driver_override` names it. */
export const TOY_VFIO_PCI: VfioPciDriver = {
  name: 'toy_vfio_pci',
  ids: [{ vendor: VENDOR, device: DEVICE }],
  probe(_pdev, container) {
    // What is put here lives as long as the function is bound; the core asks for it at every open.
    container.register(DEVICE_REGIONS, { useValue: { regions: () => [scratchRegion()] } });
    container.register(DEVICE_OVERRIDES, { useValue: REVISION_OVERRIDE });
  },
};
