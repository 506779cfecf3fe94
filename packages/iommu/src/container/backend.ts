import type { IoctlArgument, Process } from '@vfiokit/uapi';
import type { DmaSnapshot } from '../address/dma-snapshot.js';
import type { GroupDevice } from '../group/group-device.js';
import type { VfioGroup } from '../group/vfio-group.js';
import type { EmulatedDma } from './emulated-dma.js';

/**
 * A kind of IOMMU that a container can have (the kernel's struct vfio_iommu_driver_ops).
 *
 * Add one by registering it under {@link IOMMU_BACKENDS}. They are asked in order of registration.
 */
export interface IommuBackend {
  /** The kernel module's name, such as `vfio-iommu-type1`. */
  readonly name: string;
  /** It serves groups without an IOMMU, and only those. */
  readonly noiommu: boolean;
  /** VFIO_CHECK_EXTENSION of a container that has no IOMMU yet: 1 if the host offers it. */
  checkExtension(extension: number): number;
  /**
   * VFIO_SET_IOMMU: makes the IOMMU of one container.
   *
   * @param type what the user asked for; a type that {@link checkExtension} has affirmed.
   * @returns it, or a negated errno (`-EINVAL` if it is not a type).
   */
  open(type: number, caller: Process): ContainerIommu | number;
}

/** The IOMMU of one container: what all of its groups see. */
export interface ContainerIommu {
  readonly backend: IommuBackend;
  /** VFIO_CHECK_EXTENSION: what this container offers. */
  checkExtension(extension: number): number;
  /** Takes a group in; 0, or a negated errno with everything as it was. */
  attachGroup(group: VfioGroup): number;
  /** Lets a group go. */
  detachGroup(group: VfioGroup): void;
  /** Every ioctl that the container does not answer itself; `-ENOTTY` for those that it does not know. */
  ioctl(command: number, argument: IoctlArgument, caller: Process): number;
  /** A device of one of the groups was opened: it wants to know of unmaps if it has a `dmaUnmap`. */
  registerDevice?(device: GroupDevice): void;
  unregisterDevice?(device: GroupDevice): void;
  /** What the drivers of its emulated devices use; `undefined` if it has nothing of the kind. */
  pagesOf?(group: VfioGroup): EmulatedDma;
  /** What is mapped, for people. */
  snapshot(): DmaSnapshot;
  /** The last group has left: give everything back. */
  release(): void;
}
