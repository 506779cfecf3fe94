import { EAGAIN, EBUSY, ENODEV, EPROBE_DEFER, VfioError } from '@vfiokit/uapi';
import { Binding } from './binding.js';
import { andThen, type Blocking, inTurn } from './blocking.js';
import { busDirectory, deviceDirectory, driverDirectory } from './bus-sysfs.js';
import type { BusType } from './bus-type.js';
import type { Device, DeviceBus } from './device.js';
import type { Driver } from './driver.js';
import type { DriverCore } from './driver-core.js';
import type { SysfsNode } from './sysfs/node.js';
import type { UeventAction } from './uevent.js';

/**
 * A bus: its devices and drivers in the order of their registration, and who brings them together or parts them
 * (drivers/base/bus.c). How that is done is {@link Binding}'s.
 */
export class Bus<D extends Device, R extends Driver<D>> implements DeviceBus {
  readonly #devices = new Map<string, D>();
  readonly #drivers = new Map<string, R>();
  readonly #binding: Binding<D, R> = new Binding(this);
  /** Whether devices and drivers that are new are brought together. */
  driversAutoprobe = true;

  constructor(
    readonly core: DriverCore,
    readonly type: BusType<D, R>,
  ) {
    core.sys.directory('bus').set(type.name, busDirectory(this));
  }

  get name(): string {
    return this.type.name;
  }

  get devices(): ReadonlyMap<string, D> {
    return this.#devices;
  }

  get drivers(): ReadonlyMap<string, R> {
    return this.#drivers;
  }

  /** The devices that a driver is bound to, as the links in its directory tell. */
  devicesOf(driver: R): readonly D[] {
    return this.#binding.devicesOf(driver).filter((device) => device.driverLinked);
  }

  /** What a driver is bound to or is letting go of. */
  driverOf(device: D): R | undefined {
    return this.#binding.driverOf(device);
  }

  /**
   * Adds a device and, if the bus probes by itself, looks for its driver (device_add).
   *
   * @throws VfioError `EEXIST` for a name that is taken.
   */
  add(device: D): Blocking<void> {
    if (this.#devices.has(device.name))
      throw new VfioError(
        'EEXIST',
        `${device.name}: there is a device of this name on ${this.name}`,
      );
    device.bus = this;
    device.attach();
    this.#devices.set(device.name, device);
    this.emit('add', device);
    if (!this.driversAutoprobe) return;
    return andThen(
      device.lock.run(() => this.#binding.attachNew(device)),
      () => this.core.deferred.settle(),
    );
  }

  /** Takes a device away, unbinding it first, which may block (device_del). */
  removeDevice(device: D): Blocking<void> {
    device.kill();
    this.core.deferred.delete(device);
    return andThen(this.release(device), () => {
      if (this.#devices.get(device.name) !== device) return;
      this.#devices.delete(device.name);
      device.detach();
      for (const supplier of device.suppliers) supplier.consumers.delete(device);
      for (const consumer of device.consumers) consumer.suppliers.delete(device);
      this.emit('remove', device);
    });
  }

  /**
   * Registers a driver and, if the bus probes by itself, offers it every device (driver_register).
   *
   * @throws VfioError `EBUSY` for a name that is taken.
   */
  register(driver: R): void {
    if (this.#drivers.has(driver.name))
      throw new VfioError(
        'EBUSY',
        `${driver.name}: a driver of this name is registered on ${this.name}`,
      );
    this.#drivers.set(driver.name, driver);
    if (this.driversAutoprobe) this.offer(driver);
    if (driver.module !== undefined)
      this.core
        .module(driver.module)
        .drivers.set(`${this.name}:${driver.name}`, this.driverPath(driver));
    this.#emitDriver('add', driver);
  }

  /** Takes a driver away from all its devices and forgets it; blocks as its removals do (driver_unregister). */
  unregister(driver: R): Blocking<void> {
    if (driver.module !== undefined)
      this.core.modules.get(driver.module)?.drivers.delete(`${this.name}:${driver.name}`);
    const devices = [...this.#binding.devicesOf(driver)].reverse();
    return andThen(
      inTurn(devices, (device) => this.#detach(device, driver)),
      () => {
        this.#drivers.delete(driver.name);
        this.#binding.forget(driver);
        this.type.driverGone?.(driver);
        this.#emitDriver('remove', driver);
      },
    );
  }

  /** Offers every unbound device to one driver, in the order of the devices (driver_attach). */
  offer(driver: R): void {
    for (const device of [...this.#devices.values()]) {
      if (device.driver !== undefined || !this.matches(device, driver)) continue;
      void device.lock.run(() => {
        if (device.driver === undefined) this.#binding.probe(device, driver, true);
      });
    }
    this.core.deferred.settle();
  }

  /**
   * A write to a driver's `bind` (bus.c: bind_store).
   *
   * @returns 0, or `-ENODEV` (no such device, no match, going away), `-EBUSY` (bound, leftovers, group owned by a user),
   *   `-EAGAIN` (not ready, a supplier missing, no default domain, put off) or what the driver's probe says.
   */
  bind(driver: R, name: string): Blocking<number> {
    const device = this.#find(name);
    // The match comes before everything else: a bound device that does not match is no device, rather than busy.
    if (device === undefined || !this.matches(device, driver)) return -ENODEV;
    const result = device.lock.run(() => {
      if (device.dead) return -ENODEV;
      if (device.driver !== undefined) return -EBUSY;
      if (!device.readyToProbe) return -EAGAIN;
      const errno = this.#binding.probe(device, driver, false);
      return errno === -EPROBE_DEFER ? -EAGAIN : errno;
    });
    return andThen(result, (errno) => {
      this.core.deferred.settle();
      return errno;
    });
  }

  /** A write to a driver's `unbind`: 0, or `-ENODEV` unless the device is bound to this driver (bus.c: unbind_store). */
  unbind(driver: R, name: string): Blocking<number> {
    const device = this.#find(name);
    if (device?.driver !== driver) return -ENODEV;
    return andThen(this.#detach(device, driver), () => 0);
  }

  /**
   * A write to `drivers_probe` (bus.c: drivers_probe_store).
   *
   * @returns 0 whether or not anything was bound; `-ENODEV` for an unknown device; `-EINVAL` if a driver was stopped
   *   before its own probe.
   */
  driversProbe(name: string): Blocking<number> {
    const device = this.#find(name);
    if (device === undefined) return -ENODEV;
    // Also true while a removal is blocked, which is why this call then does nothing.
    if (device.driver !== undefined) return 0;
    const result = device.lock.run(() => this.#binding.attach(device));
    return andThen(result, (errno) => {
      this.core.deferred.settle();
      return errno;
    });
  }

  /** Unbinds a device from whatever it is bound to. */
  release(device: Device): Blocking<void> {
    return this.#detach(device as D, undefined);
  }

  /** Unbinds a device and looks for a driver again (device_reprobe). */
  reattach(device: D): Blocking<void> {
    return andThen(this.release(device), () => andThen(this.driversProbe(device.name), () => {}));
  }

  reprobe(device: Device): Blocking<void> {
    if (!this.driversAutoprobe || device.driver !== undefined || device.dead) return;
    return andThen(
      device.lock.run(() => this.#binding.attach(device as D)),
      () => {},
    );
  }

  /**
   * Asks every driver for its veto before something is taken away from under them: 0, or `-EBUSY` with the name of the
   * one that refused.
   */
  inUse(resource: unknown): { readonly errno: number; readonly driver?: string } {
    for (const driver of this.#drivers.values())
      if ((driver.inUse?.(resource) ?? 0) !== 0) return { errno: -EBUSY, driver: driver.name };
    return { errno: 0 };
  }

  /** Whether a driver would be tried for a device now, as the driver core asks. */
  matches(device: D, driver: R): boolean {
    return this.#binding.matches(device, driver);
  }

  emit(action: UeventAction, device: D, env: Readonly<Record<string, string>> = {}): void {
    this.core.uevents.emit({
      action,
      devpath: device.path.slice('/sys'.length),
      subsystem: this.name,
      env: { ...this.uevent(device), ...env },
    });
  }

  /** The variables that a device's `uevent` file shows. */
  uevent(device: D): Readonly<Record<string, string>> {
    const driver = device.bound ? { DRIVER: device.driver!.name } : {};
    return { ...driver, ...this.type.uevent(device) };
  }

  node(device: Device): SysfsNode {
    return deviceDirectory(this, device as D);
  }

  driverNode(driver: R): SysfsNode {
    return driverDirectory(this, driver);
  }

  driverPath(driver: Driver<never>): string {
    return `/sys/bus/${this.name}/drivers/${driver.name}`;
  }

  #find(text: string): D | undefined {
    return this.#devices.get(text.endsWith('\n') ? text.slice(0, -1) : text);
  }

  #detach(device: D, driver: R | undefined): Blocking<void> {
    return device.lock.run(() => {
      const bound = this.driverOf(device);
      if (bound === undefined || (driver !== undefined && bound !== driver)) return;
      return this.#binding.detach(device, bound);
    });
  }

  #emitDriver(action: 'add' | 'remove', driver: R): void {
    this.core.uevents.emit({
      action,
      devpath: `/bus/${this.name}/drivers/${driver.name}`,
      subsystem: 'drivers',
      env: {},
    });
  }
}
