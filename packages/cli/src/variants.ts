import { VFIO_PCI_EXTENSIONS } from '@vfiokit/core';
import type { MachineDescription } from '@vfiokit/host';
import { registerMlx } from '@vfiokit/mlx';
import { registerNvlink } from '@vfiokit/nvlink';
import { registerVirtio } from '@vfiokit/virtio';
import { registerZpci } from '@vfiokit/zpci';
import type { DependencyContainer } from 'tsyringe';
import { nvlinkPlatform, opregionExtension, zpciFunctions } from './firmware-tables.js';

/** The variants that modelled machines are built with: drivers in any case, the others where firmware has a table for them. */
export function registerVariants(
  container: DependencyContainer,
  machine: MachineDescription,
): void {
  registerMlx(container);
  registerVirtio(container);
  const igd = opregionExtension(machine);
  if (igd !== undefined) container.register(VFIO_PCI_EXTENSIONS, { useValue: igd });
  const functions = zpciFunctions(machine);
  if (functions !== undefined) registerZpci(container, { functions });
  const platform = nvlinkPlatform(machine);
  if (platform !== undefined) registerNvlink(container, { platform });
}
