import {
  DEVICE_REGIONS,
  type DeviceExtension,
  type DeviceRegion,
  type OpeningDevice,
} from '@vfiokit/core';
import type { PciDevice } from '@vfiokit/pci';
import { type DependencyContainer, inject, injectable } from 'tsyringe';
import { atsdRegions, PCI_VENDOR_ID_IBM } from './atsd.js';
import { gpuRamRegions, PCI_VENDOR_ID_NVIDIA } from './gpu-ram.js';
import type { NvlinkPlatform } from './nvlink-platform.js';
import { NVLINK_PLATFORM } from './tokens.js';

/** What a function of a vendor may turn out to be. */
const REGIONS: Readonly<
  Record<number, (device: OpeningDevice, platform: NvlinkPlatform) => readonly DeviceRegion[]>
> = {
  [PCI_VENDOR_ID_NVIDIA]: gpuRamRegions,
  [PCI_VENDOR_ID_IBM]: atsdRegions,
};

/**
 * NVLink2 under plain vfio-pci on POWER9: the vendor decides what is looked for, the machine whether it is there
 * (Linux 5.12, vfio_pci.c: vfio_pci_enable). Removed in 5.13.
 */
@injectable()
export class Nvlink implements DeviceExtension {
  constructor(@inject(NVLINK_PLATFORM) private readonly platform: NvlinkPlatform) {}

  probe(pdev: PciDevice, container: DependencyContainer): void {
    const regionsOf = REGIONS[pdev.vendor];
    if (regionsOf === undefined) return;
    container.register(DEVICE_REGIONS, {
      useValue: { regions: (device) => regionsOf(device, this.platform) },
    });
  }
}
