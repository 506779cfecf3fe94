import { VFIO_PCI_DRIVERS } from '@vfiokit/core';
import type { DependencyContainer } from 'tsyringe';
import { MLX5_VFIO_PCI } from './mlx5-driver.js';

/** Puts `mlx5_vfio_pci` on a host. What it needs it finds at the PF: its native driver, {@link Mlx5Core}. */
export function registerMlx(container: DependencyContainer): void {
  container.register(VFIO_PCI_DRIVERS, { useValue: MLX5_VFIO_PCI });
}
