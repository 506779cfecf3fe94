import {
  andThen,
  attempt,
  attributeFile,
  type Blocking,
  Bus,
  type BusType,
  type DriverCore,
  kstrtoul,
} from '@vfiokit/driver-model';
import { VfioError } from '@vfiokit/uapi';
import type { MdevDevice } from './mdev-device.js';
import type { MdevDriver } from './mdev-driver.js';

/**
 * The bus of mediated devices: every one in the system, whatever its parent (drivers/vfio/mdev).
 *
 * Nothing is ever matched on it: `create` attaches a device to its parent's own driver, and a write to `bind` finds no
 * device.
 */
export class MdevBus extends Bus<MdevDevice, MdevDriver> {
  constructor(core: DriverCore) {
    super(core, busType(core));
  }

  /**
   * Registers a driver (mdev_register_driver).
   *
   * @throws VfioError `EINVAL` for a driver that does not say what kind of VFIO device it makes; `EBUSY` for a name that is
   *   taken.
   */
  override register(driver: MdevDriver): void {
    if (driver.deviceApi === '')
      throw new VfioError('EINVAL', `${driver.name}: an mdev driver needs a device_api`);
    super.register(driver);
  }
}

function busType(core: DriverCore): BusType<MdevDevice, MdevDriver> {
  return {
    name: 'mdev',
    overridable: false,
    match: (device, driver) => device.attaching && device.type.parent.driver === driver,
    probe: (device, driver) => {
      const errno = driver.probe(device);
      if (errno >= 0)
        for (const attribute of driver.deviceAttributes)
          device.entries.set(
            attribute.name,
            attributeFile(attribute, device, () => !device.dead),
          );
      return errno;
    },
    remove: (device, driver) => driver.remove?.(device),
    uevent: () => ({}),
    deviceAttributes: new Map([
      [
        'remove',
        {
          name: 'remove',
          mode: 0o200,
          // mdev_sysfs.c: remove_store
          store: (device, text) => {
            const removals: Blocking<void>[] = [];
            const errno = attempt(core.log, () => {
              const asked = kstrtoul(text, `${device.uuid}: remove`) !== 0;
              // The first to write takes the file away, and a second one has nothing left to do.
              if (asked && !device.dead) removals.push(device.remove());
            });
            return andThen(removals[0], () => errno);
          },
        },
      ],
    ]),
    driverAttributes: new Map(),
    busAttributes: [],
  };
}
