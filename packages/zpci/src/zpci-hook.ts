import type { PlatformHook } from '@vfiokit/core';
import type { PciDevice } from '@vfiokit/pci';
import { ENODEV, ENOENT, type InfoCapability } from '@vfiokit/uapi';
import { inject, injectable } from 'tsyringe';
import { zpciInfoCapabilities } from './info-capabilities.js';
import type { KvmZpci } from './kvm-zpci.js';
import { KVM_ZPCI, ZPCI_FUNCTIONS } from './tokens.js';
import type { ZpciFunction } from './zpci-function.js';

/** Finds what s390 knows of a function; undefined for one that it does not know. */
export type ZpciFunctions = (pdev: PciDevice) => ZpciFunction | undefined;

/** What s390 does for every VFIO device, whichever driver it has (drivers/vfio/pci/vfio_pci_zdev.c). */
@injectable()
export class ZpciHook implements PlatformHook {
  constructor(
    @inject(ZPCI_FUNCTIONS) private readonly functions: ZpciFunctions,
    @inject(KVM_ZPCI, { isOptional: true }) private readonly kvm: KvmZpci | undefined,
  ) {}

  /** 0; `-ENODEV` for a function that s390 does not know; `-ENOENT` for a guest without KVM's side; what that answers. */
  open(pdev: PciDevice, vm: object | undefined): number {
    const zdev = this.functions(pdev);
    if (zdev === undefined) return -ENODEV;
    if (vm === undefined) return 0;
    return this.kvm === undefined ? -ENOENT : this.kvm.register(zdev, vm);
  }

  close(pdev: PciDevice, vm: object | undefined): void {
    const zdev = this.functions(pdev);
    if (zdev !== undefined && vm !== undefined) this.kvm?.unregister(zdev);
  }

  infoCapabilities(pdev: PciDevice): readonly InfoCapability[] | number {
    const zdev = this.functions(pdev);
    return zdev === undefined ? -ENODEV : zpciInfoCapabilities(zdev);
  }
}
