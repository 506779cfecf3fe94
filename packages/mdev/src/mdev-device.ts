import { VfioError } from '@vfiokit/uapi';
import { kstrtoul } from './kstrtox.js';
import type { MdevType } from './mdev-parent.js';
import type { Uuid } from './uuid.js';

/** A mediated device: one instance of a parent's type. */
export class MdevDevice {
  #removing = false;
  #gone = false;
  #waiters: (() => void)[] = [];

  constructor(
    readonly uuid: Uuid,
    readonly type: MdevType,
  ) {}

  /** Whether somebody has begun to remove it. It may still be in use. */
  get removing(): boolean {
    return this.#removing;
  }

  get gone(): boolean {
    return this.#gone;
  }

  /**
   * Removes the device. If it is in use that takes until its user lets go.
   *
   * @param done called when it is gone, maybe before this returns.
   * @throws VfioError `EAGAIN` if somebody is removing it already, `EBUSY` if the driver is one that refuses.
   */
  remove(done: () => void = () => {}): void {
    if (this.#removing)
      throw new VfioError(
        'EAGAIN',
        `${this.uuid}: is being removed already; it waits for its user`,
      );
    const { parent } = this.type;
    parent.driver.checkRemove?.(this);
    this.#removing = true;
    this.#waiters.push(done);
    parent.driver.remove(this, () => {
      this.#gone = true;
      parent.forget(this);
      for (const waiter of this.#waiters) waiter();
      this.#waiters = [];
    });
  }

  /** Calls back when the device is gone; for those who wait beside the one who removes it. */
  whenGone(done: () => void): void {
    if (this.#gone) done();
    else this.#waiters.push(done);
  }

  /**
   * The `remove` attribute: any number but 0 removes (mdev_sysfs.c: remove_store).
   *
   * @throws VfioError `EINVAL`, `ERANGE`, or as {@link remove}.
   */
  writeRemove(text: string, done?: () => void): void {
    if (kstrtoul(text, `${this.uuid}: remove`) === 0) done?.();
    else this.remove(done);
  }
}
