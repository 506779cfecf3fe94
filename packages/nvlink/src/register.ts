import { VFIO_PCI_EXTENSIONS } from '@vfiokit/core';
import type { DependencyContainer } from 'tsyringe';
import { Nvlink } from './nvlink.js';
import type { NvlinkPlatform } from './nvlink-platform.js';
import { NVLINK_PLATFORM } from './tokens.js';

export interface NvlinkOptions {
  readonly platform: NvlinkPlatform;
}

/** Teaches a host's plain vfio-pci what NVLink2 needs. */
export function registerNvlink(container: DependencyContainer, { platform }: NvlinkOptions): void {
  container.register(NVLINK_PLATFORM, { useValue: platform });
  container.register(VFIO_PCI_EXTENSIONS, { useClass: Nvlink });
}
