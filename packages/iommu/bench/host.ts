import 'reflect-metadata';
import {
  BareDevice,
  type Container,
  DevVfio,
  GENERIC_IOMMU,
  type IommuGroup,
  IommuGroups,
  registerIommu,
  type Type1,
  VfioGroups,
} from '@vfiokit/iommu';
import { Process } from '@vfiokit/uapi';
import { container as root } from 'tsyringe';

/** Where the process has its memory. */
export const MEMORY = 2 ** 40;

/** A host, and a process with plenty of memory of no contents. */
export class BenchHost {
  readonly #services = root.createChildContainer();
  readonly process = new Process();

  constructor(size = 2 ** 40) {
    registerIommu(this.#services);
    this.process.memory.map({ address: MEMORY, size, writable: true });
  }

  /** A type1 v2 container with a group of its own. */
  type1(): { container: Container; type1: Type1; group: IommuGroup } {
    const group = this.#services.resolve(IommuGroups).create({ iommu: GENERIC_IOMMU });
    const device = new BareDevice(`device ${group.id}`, group);
    const vfio = this.#services.resolve(VfioGroups).register(device);
    const container = this.#services.resolve(DevVfio).openContainer();
    vfio.setContainer(container, this.process);
    container.setIommu(3, this.process);
    return { container, type1: container.iommu as Type1, group };
  }
}
