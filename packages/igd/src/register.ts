import { VFIO_PCI_EXTENSIONS } from '@vfiokit/core';
import type { DependencyContainer } from 'tsyringe';
import { Igd } from './igd.js';
import { IGD_KERNEL_QUIRKS, type IgdPlatform, type IgdQuirks } from './igd-platform.js';
import { IGD_PLATFORM, IGD_QUIRKS } from './tokens.js';

export interface IgdOptions {
  readonly platform: IgdPlatform;
  readonly quirks?: Partial<IgdQuirks>;
}

/** Teaches a host's plain vfio-pci what Intel graphics needs. */
export function registerIgd(
  container: DependencyContainer,
  { platform, quirks }: IgdOptions,
): void {
  container.register(IGD_PLATFORM, { useValue: platform });
  container.register(IGD_QUIRKS, { useValue: { ...IGD_KERNEL_QUIRKS, ...quirks } });
  container.register(VFIO_PCI_EXTENSIONS, { useClass: Igd });
}
