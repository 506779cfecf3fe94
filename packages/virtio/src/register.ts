import { VFIO_PCI_DRIVERS } from '@vfiokit/core';
import { type Clock, VirtualClock } from '@vfiokit/driver-model';
import type { DependencyContainer } from 'tsyringe';
import { virtioDriver } from './virtio-driver.js';

export interface VirtioOptions {
  /** What a second is; one that stands still without it. */
  readonly clock?: Clock;
}

/** Puts `virtio_vfio_pci` on a host. */
export function registerVirtio(container: DependencyContainer, options: VirtioOptions = {}): void {
  const { clock = new VirtualClock() } = options;
  container.register(VFIO_PCI_DRIVERS, { useValue: virtioDriver(clock) });
}
