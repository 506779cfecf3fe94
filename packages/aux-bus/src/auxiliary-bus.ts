import { andThen, type Blocking, Bus, type Driver, type DriverCore } from '@vfiokit/driver-model';
import { VfioError } from '@vfiokit/uapi';
import { AuxiliaryDevice, type AuxiliaryDeviceSpec } from './auxiliary-device.js';

/** A table entry's length with its terminator (mod_devicetable.h: AUXILIARY_NAME_SIZE). */
const AUXILIARY_NAME_SIZE = 40;

/** A driver for auxiliary devices (struct auxiliary_driver). Its name is {@link auxiliaryDriverName}'s. */
export interface AuxiliaryDriver extends Driver<AuxiliaryDevice> {
  /** `module.name` of the devices it takes, up to an empty entry; compared byte for byte. */
  readonly ids: readonly string[];
  /** Takes a device by the entry that matched: 0 or more, or a negated errno. */
  probe(device: AuxiliaryDevice, id: string): number;
  /** Puts a device to rest while its parent can't serve it. The bus does not call it; the parent's driver may. */
  suspend?(device: AuxiliaryDevice): void;
  /** The parent serves it again. */
  resume?(device: AuxiliaryDevice): void;
}

/** What the bus calls a driver: its module and its own name, or the module alone. */
export function auxiliaryDriverName(module: string, name?: string): string {
  return name === undefined ? module : `${module}.${name}`;
}

/** The entry of a driver's table by which it takes a device. */
export function matchAuxiliary(
  ids: readonly string[],
  device: AuxiliaryDevice,
): string | undefined {
  const end = ids.indexOf('');
  return (end < 0 ? ids : ids.slice(0, end)).find((id) => id === device.matchName);
}

/**
 * The auxiliary bus: children that a device's driver publishes for other drivers to take (drivers/base/auxiliary.c).
 *
 * There is no override on it, and there are no dynamic ids: of two drivers for one name the first one that was registered
 * gets the device, and nothing shields a device from it.
 */
export class AuxiliaryBus extends Bus<AuxiliaryDevice, AuxiliaryDriver> {
  constructor(core: DriverCore) {
    super(core, {
      name: 'auxiliary',
      overridable: false,
      match: (device, driver) => matchAuxiliary(driver.ids, device) !== undefined,
      probe: (device, driver) => driver.probe(device, matchAuxiliary(driver.ids, device)!),
      remove: (device, driver) => driver.remove?.(device),
      uevent: (device) => ({ MODALIAS: `auxiliary:${device.matchName}` }),
      deviceAttributes: new Map(),
      driverAttributes: new Map(),
      busAttributes: [],
    });
  }

  /**
   * Registers a driver.
   *
   * @throws VfioError `EINVAL` without a table, or for an entry that is too long to stand in one; `EBUSY` for a name that
   *   is taken.
   */
  override register(driver: AuxiliaryDriver): void {
    if (driver.ids.length === 0)
      throw new VfioError('EINVAL', `${driver.name}: an auxiliary driver needs an id table`);
    const long = driver.ids.find((id) => id.length >= AUXILIARY_NAME_SIZE);
    if (long !== undefined)
      throw new VfioError(
        'EINVAL',
        `${driver.name}: the id "${long}" is longer than ${AUXILIARY_NAME_SIZE - 1} characters`,
      );
    super.register(driver);
  }

  /**
   * Puts a device on the bus (auxiliary_device_add). Whoever made it puts it if that fails.
   *
   * @throws VfioError `EINVAL` without the name of a module, `EEXIST` for a name that is taken.
   */
  override add(device: AuxiliaryDevice): Blocking<void> {
    if (device.module === '')
      throw new VfioError(
        'EINVAL',
        `${device.name}: an auxiliary device needs the name of a module`,
      );
    return super.add(device);
  }

  /**
   * Publishes a child of a device (auxiliary_device_init, auxiliary_device_add). One that can't be added is released.
   *
   * @throws VfioError `EINVAL` for what it lacks, `EEXIST` for a name that is taken.
   */
  publish(spec: AuxiliaryDeviceSpec): AuxiliaryDevice {
    const device = new AuxiliaryDevice(spec);
    try {
      void this.add(device);
    } catch (error) {
      device.put();
      throw error;
    }
    return device;
  }

  /** Takes a child away, unbinding it first (auxiliary_device_delete, auxiliary_device_uninit). */
  withdraw(device: AuxiliaryDevice): Blocking<void> {
    return andThen(this.removeDevice(device), () => device.put());
  }
}
