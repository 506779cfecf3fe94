import { type Variant, VFIO_PCI_DRIVERS } from '@vfiokit/core';
import type { DependencyContainer } from 'tsyringe';
import { TOY_VFIO_PCI } from './toy-driver.js';

/** Puts `toy_vfio_pci` on a host. */
export function registerToy(container: DependencyContainer): void {
  container.register(VFIO_PCI_DRIVERS, { useValue: TOY_VFIO_PCI });
}

/** How the driver joins a machine that is being put together. `vfiokit --variant` finds it by the end of its name. */
export const toyVariant: Variant = (host) => registerToy(host);
