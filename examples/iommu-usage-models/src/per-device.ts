import { MAP_ALL, registerIommu, USAGE_MODELS, type UsageModel } from '@vfiokit/iommu';
import type { DependencyContainer } from 'tsyringe';

/**
 * A usage model of one's own, as cloud-hypervisor's: all memory is mapped for every device, in a container for each. What
 * differs from map-all is what spaces are filed under.
 */
export const PER_DEVICE: UsageModel = {
  ...MAP_ALL,
  name: 'per-device',
  sharedBy: 'nobody: a device that fails takes no other along',
  key: ({ addressSpace }) => addressSpace,
};

/** Brings it to a host beside the others. */
export function registerPerDevice(host: DependencyContainer): void {
  registerIommu(host);
  host.register<UsageModel>(USAGE_MODELS, { useValue: PER_DEVICE });
}
