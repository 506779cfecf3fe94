import type { Attribute, Driver } from '@vfiokit/driver-model';
import type { MdevDevice } from './mdev-device.js';

/** What a parent's driver does for the mediated devices on it (struct mdev_driver). */
export interface MdevDriver extends Driver<MdevDevice> {
  /** What kind of VFIO device they are, such as `vfio-ap`. */
  readonly deviceApi: string;
  /** The files of its devices, beside those of every mediated device. */
  readonly deviceAttributes: readonly Attribute<MdevDevice>[];
  /** Takes a new device: 0 or the negated errno that `create` fails with. */
  probe(device: MdevDevice): number;
  /** Asked before a removal begins; throws VfioError to refuse it. Today's drivers never do. */
  checkRemove?(device: MdevDevice): void;
}
