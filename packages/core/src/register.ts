import { randomBytes } from 'node:crypto';
import type { PciDevice } from '@vfiokit/pci';
import type { DependencyContainer } from 'tsyringe';
import {
  DEFAULT_KERNEL,
  DEFAULT_PARAMETERS,
  type KernelConfig,
  type ModuleParameters,
} from './parameters.js';
import { KERNEL_QUIRKS, type Quirks } from './quirks.js';
import { resolveAll } from './resolve.js';
import {
  HOST_CONTAINER,
  VFIO_PCI_DRIVERS,
  VFIO_PCI_EXTENSIONS,
  VFIO_PCI_SETTINGS,
} from './tokens.js';
import { VfioPci } from './vfio-pci.js';
import type { VfioPciDriver } from './vfio-pci-driver.js';

/** Plain vfio-pci: takes any function that is not a bridge, and brings what `VFIO_PCI_EXTENSIONS` say (vfio_pci.c). */
export const VFIO_PCI: VfioPciDriver = {
  name: 'vfio-pci',
  ids: [{}],
  denylist: true,
  sriov: true,
  probe(pdev, container) {
    for (const extension of resolveAll(container, VFIO_PCI_EXTENSIONS))
      extension.probe(pdev, container);
  },
};

/** How vfio-pci-core is built and loaded; what is left out is as the kernel has it. */
export interface CoreOptions {
  readonly parameters?: Partial<ModuleParameters>;
  readonly kernel?: Partial<KernelConfig>;
  readonly quirks?: Partial<Quirks>;
  /** Where the first token of a PF comes from; 16 bytes. */
  readonly randomToken?: () => Uint8Array;
  /** Sets the `driver_override` of a VF that has just appeared; who models drivers wants to hear of it. */
  readonly overrideDriver?: (vf: PciDevice, driver: string) => void;
}

/**
 * Puts vfio-pci-core and plain vfio-pci on a host's container; `container.resolve(VfioPci)` is the way in. The container
 * has to hold the groups of `@vfiokit/iommu` too.
 */
export function registerCore(container: DependencyContainer, options: CoreOptions = {}): void {
  container.register(VFIO_PCI_SETTINGS, {
    useValue: {
      parameters: { ...DEFAULT_PARAMETERS, ...options.parameters },
      kernel: { ...DEFAULT_KERNEL, ...options.kernel },
      quirks: { ...KERNEL_QUIRKS, ...options.quirks },
      randomToken: options.randomToken ?? (() => randomBytes(16)),
      overrideDriver: options.overrideDriver ?? (() => {}),
    },
  });
  container.register(HOST_CONTAINER, { useValue: container });
  container.register(VFIO_PCI_DRIVERS, { useValue: VFIO_PCI });
  container.registerSingleton(VfioPci);
}
