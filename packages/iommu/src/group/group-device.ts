import type { IoctlArgument, Process, VfioDevice } from '@vfiokit/uapi';
import type { EmulatedDma } from '../container/emulated-dma.js';
import type { IommuGroup } from './iommu-group.js';

/**
 * The way by which somebody opens a device: a group file or a character device of its own.
 *
 * It belongs to the IOMMU side. The device calls it around its first open and after its last close, so that no device is
 * open without memory protection and none loses it while open.
 */
export interface DeviceDoor {
  readonly kind: 'group' | 'cdev';
  /** Binds the IOMMU side for the first open: 0, or a negated errno (`-EINVAL` without an IOMMU type, `-EPERM`). */
  bind(device: GroupDevice): number;
  /** The opposite, after the device has closed. */
  unbind(device: GroupDevice): void;
  /** The virtual machine that user space has tied to the device, if it has by now (KVM_DEV_VFIO_FILE_ADD). */
  readonly kvm: object | undefined;
  /** With it a driver that does the DMA for its device reaches the user's memory. Only while the device is bound. */
  readonly pages: EmulatedDma | undefined;
  /**
   * What the door answers itself, before the device is asked: the ioctls of the character device.
   *
   * @returns `undefined` to pass the call on.
   */
  ioctl?(command: number, argument: IoctlArgument, caller: Process): number | undefined;
  /** The number under which the door's iommufd knows a device; `undefined` for a device that it does not know. */
  devid?(device: GroupDevice): number | undefined;
  /** Whether some device of that one's IOMMU group is bound to the door's iommufd. */
  sharesGroup?(device: GroupDevice): boolean;
}

/** What groups, containers and iommufd need of a device: the part of the kernel's struct vfio_device that knows no bus. */
export interface GroupDevice {
  /** The bus's name for it, such as `0000:00:02.0`. */
  readonly name: string;
  /** `undefined` for a device behind no IOMMU, and for an emulated one. */
  readonly iommuGroup: IommuGroup | undefined;
  /** Its parent driver does the DMA for it (a mediated device): it is registered with a group of its own. */
  readonly emulated?: boolean;
  /** Requests of it can carry a PASID, and its driver lets user space attach them. */
  readonly supportsPasid?: boolean;
  /** How many opens have not been closed. */
  readonly openCount: number;
  /** Set while it is being unregistered: it can't be found any more, but may still be open. */
  readonly goingAway: boolean;

  /** Answers VFIO_GROUP_GET_DEVICE_FD's text: 1 it is meant, 0 it is not, a negated errno ends the search. */
  match(text: string): number;

  /** Checks the token of a cdev bind: 0 or a negated errno (vfio_device_ops.match_token_uuid). Absent: it has no tokens. */
  matchToken?(token: Uint8Array | undefined): number;

  /**
   * Opens the device through a door. The first open binds the door, then brings the device up.
   *
   * @throws VfioError with the errno that the open fails with; nothing is left open then.
   */
  open(door: DeviceDoor): VfioDevice;

  /** The user unmaps this range of IOVAs: unpin what is pinned in it. Only for devices that pin pages themselves. */
  dmaUnmap?(iova: bigint, size: bigint): void;
}
