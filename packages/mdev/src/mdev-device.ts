import { type Blocking, Device } from '@vfiokit/driver-model';
import { VfioError } from '@vfiokit/uapi';
import type { MdevType } from './mdev-type.js';
import type { Uuid } from './uuid.js';

/** A mediated device: one instance of a parent's type. Its name is its UUID, its place below its parent. */
export class MdevDevice extends Device {
  /** True while `create` attaches it to its parent's driver, the only time that it matches one. */
  attaching = false;

  constructor(
    readonly uuid: Uuid,
    readonly type: MdevType,
  ) {
    super(uuid, type.parent.device);
  }

  /**
   * Removes the device (mdev_device_remove). If it is in use that takes until its user lets go.
   *
   * @throws VfioError `ENODEV` if its parent is going away and takes it along, `EAGAIN` if somebody is removing it already,
   *   or what its driver says if it is one that refuses.
   */
  remove(): Blocking<void> {
    const { parent } = this.type;
    if (!parent.registered)
      throw new VfioError('ENODEV', `${this.uuid}: goes with ${parent.device.name}`);
    if (this.dead)
      throw new VfioError(
        'EAGAIN',
        `${this.uuid}: is being removed already, and waits for its user`,
      );
    parent.driver.checkRemove?.(this);
    return parent.removeDevice(this);
  }
}
