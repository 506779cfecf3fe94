import { VFIO_PCI_DRIVERS } from '@vfiokit/core';
import type { DependencyContainer } from 'tsyringe';
import { nvgraceGpuDriver } from './nvgrace-driver.js';
import type { NvgracePlatform } from './nvgrace-platform.js';

export interface NvgraceGpuOptions {
  readonly platform: NvgracePlatform;
}

/** Puts `nvgrace_gpu_vfio_pci` on a host. */
export function registerNvgraceGpu(
  container: DependencyContainer,
  { platform }: NvgraceGpuOptions,
): void {
  container.register(VFIO_PCI_DRIVERS, { useValue: nvgraceGpuDriver(platform) });
}
