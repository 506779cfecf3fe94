import {
  BareDevice,
  ContainerProvider,
  type ContainerType,
  DevVfio,
  GENERIC_IOMMU,
  IOMMU_PARAMETERS,
  IoasProvider,
  IommuGroups,
  type IommuParameters,
  POWERNV,
  registerIommu,
  type SpaceProvider,
  type VfioGroup,
  VfioGroups,
} from '@vfiokit/iommu';
import { Process } from '@vfiokit/uapi';
import { container } from 'tsyringe';

/** Where a monitor has its guest's memory, and how much that is. */
export const RAM = { address: 2 ** 40, size: 8 << 20 };

/** A graphics card with its audio function, a network card and a disk: three groups, bound to vfio-pci. */
export const DEVICES = { gpu: 0, audio: 0, nic: 1, disk: 2 } as const;

/** A device's name. */
export type DeviceName = keyof typeof DEVICES;

/** What a host can map in. The machine has them all, so that only one thing differs at a time. */
export type SpaceKind = Exclude<ContainerType, 'noiommu'> | 'iommufd';

/** The machine, freshly booted, and the process of one monitor on it. */
export class Machine {
  readonly process = new Process({ ipcLock: false, memlock: 2 ** 34 });
  readonly #own = container.createChildContainer();
  readonly #groups = new Map<DeviceName, VfioGroup>();

  constructor() {
    registerIommu(this.#own, { backends: ['type1', 'spapr-tce'] });
    this.process.memory.map({ ...RAM, writable: true });
    const groups = this.#own.resolve(IommuGroups);
    const iommu = { ...GENERIC_IOMMU, tce: POWERNV, nesting: 1 };
    for (let id = 0; id < 3; id += 1) groups.create({ id, iommu });
    for (const [name, id] of Object.entries(DEVICES) as [DeviceName, number][])
      this.#groups.set(
        name,
        this.#own.resolve(VfioGroups).register(new BareDevice(name, groups.get(id))),
      );
  }

  /** The group that a device is in. */
  group(name: DeviceName): VfioGroup {
    return this.#groups.get(name)!;
  }

  /** Spaces of a kind, as a monitor gets them. */
  spaces(kind: SpaceKind): SpaceProvider {
    const dev = this.#own.resolve(DevVfio);
    if (kind === 'iommufd')
      return new IoasProvider(dev, this.#own.resolve(VfioGroups), this.process);
    const parameters = this.#own.resolve<IommuParameters>(IOMMU_PARAMETERS);
    return new ContainerProvider(dev, parameters, this.process, kind);
  }
}
