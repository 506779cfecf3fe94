import { registerMlx } from '@vfiokit/mlx';
import { registerVirtio } from '@vfiokit/virtio';
import type { DependencyContainer } from 'tsyringe';

/** The variant drivers that modelled machines are built with. Those of firmware tables need a machine that has them. */
export function registerVariants(container: DependencyContainer): void {
  registerMlx(container);
  registerVirtio(container);
}
