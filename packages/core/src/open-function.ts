import {
  DevVfio,
  GENERIC_IOMMU,
  type GroupFile,
  IommuGroups,
  registerIommu,
  VfioGroups,
} from '@vfiokit/iommu';
import type { PciDevice } from '@vfiokit/pci';
import { Process, VFIO_TYPE1v2_IOMMU, type VfioDevice } from '@vfiokit/uapi';
import { type DependencyContainer, container as root } from 'tsyringe';
import { type CoreOptions, registerCore } from './register.js';
import { VFIO_PCI_DRIVERS } from './tokens.js';
import { VfioPci } from './vfio-pci.js';
import type { VfioPciDriver } from './vfio-pci-driver.js';

/** Which driver opens the function, and on what host. */
export interface OpenFunctionOptions extends CoreOptions {
  /** The driver to bind to, or the name of one that `register` puts there; plain vfio-pci without it. */
  readonly driver?: VfioPciDriver | string;
  /** Puts more on the host's container: platform hooks, say. */
  readonly register?: (container: DependencyContainer) => void;
}

/** A function that is bound and open. Disposing of it closes and unbinds it. */
export interface OpenedFunction extends Disposable {
  readonly device: VfioDevice;
  /** Through which more descriptors of it can be had. */
  readonly group: GroupFile;
  /** The one who has it open. */
  readonly process: Process;
  /** Its host's container. */
  readonly container: DependencyContainer;
}

/**
 * Binds a function and opens it as a user-space driver would: an IOMMU group of its own, a type1 container, a device
 * descriptor. The shortest way from a function to its user; machines with more in them are put together by hand.
 *
 * @throws VfioError whatever binding or opening fails with.
 */
export function openFunction(pdev: PciDevice, options: OpenFunctionOptions = {}): OpenedFunction {
  const { driver, register, ...core } = options;
  const container = root.createChildContainer();
  registerIommu(container);
  registerCore(container, core);
  register?.(container);
  if (typeof driver === 'object') container.register(VFIO_PCI_DRIVERS, { useValue: driver });

  const group = container.resolve(IommuGroups).create({ iommu: GENERIC_IOMMU });
  group.members.add(pdev.name);
  const vfio = container.resolve(VfioPci);
  const bound = vfio.bind(pdev, group, typeof driver === 'object' ? driver.name : driver);
  const process = new Process();
  const undos: (() => void)[] = [() => vfio.unbind(bound)];
  const close = () => {
    for (const undo of undos.splice(0).reverse()) undo();
  };
  try {
    const iommu = container.resolve(DevVfio).openContainer();
    undos.push(() => iommu.close());
    const groupFile = container.resolve(VfioGroups).openGroup(group.id, process);
    undos.push(() => groupFile.close());
    groupFile.group.setContainer(iommu, process);
    iommu.setIommu(VFIO_TYPE1v2_IOMMU, process);
    const device = groupFile.getDevice(pdev.name, process);
    undos.push(() => device.close());
    return { device, group: groupFile, process, container, [Symbol.dispose]: close };
  } catch (error) {
    close();
    throw error;
  }
}
