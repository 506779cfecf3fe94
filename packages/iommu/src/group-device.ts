import type { Process, VfioDevice } from '@vfiokit/uapi';
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
}

/** What groups, containers and iommufd need of a device: the part of the kernel's struct vfio_device that knows no bus. */
export interface GroupDevice {
  /** The bus's name for it, such as `0000:00:02.0`. */
  readonly name: string;
  readonly iommuGroup: IommuGroup;
  /** How many opens have not been closed. */
  readonly openCount: number;
  /** Set while it is being unregistered: it can't be found any more, but may still be open. */
  readonly goingAway: boolean;

  /** Answers VFIO_GROUP_GET_DEVICE_FD's text: 1 it is meant, 0 it is not, a negated errno ends the search. */
  match(text: string): number;

  /** Checks the token of a cdev bind: 0 or a negated errno (vfio_device_ops.match_token_uuid). */
  matchToken(token: Uint8Array | undefined): number;

  /**
   * Opens the device through a door. The first open binds the door, then brings the device up.
   *
   * @throws VfioError with the errno that the open fails with; nothing is left open then.
   */
  open(door: DeviceDoor, opener: Process): VfioDevice;

  /** The user unmapped this range of IOVAs; only for devices that pin pages themselves. */
  dmaUnmap?(iova: bigint, size: bigint): void;
}
