import { EBUSY, EINVAL, ENODEV, ENXIO, EPROBE_DEFER, errnoName } from '@vfiokit/uapi';
import { andThen, type Blocking, inTurn } from './blocking.js';
import type { BusType } from './bus-type.js';
import type { Device } from './device.js';
import type { Driver } from './driver.js';
import type { DriverCore } from './driver-core.js';

/** What binding has to know of its bus. */
export interface BindingBus<D extends Device, R extends Driver<D>> {
  readonly core: DriverCore;
  readonly type: BusType<D, R>;
  /** In the order in which they are tried. */
  readonly drivers: ReadonlyMap<string, R>;
  emit(action: 'bind' | 'unbind', device: D): void;
}

/** How a probe ended. A failure inside the driver's own probe is treated unlike one before it. */
interface ProbeOutcome {
  /** 0 for a success, else a negated errno. */
  readonly errno: number;
  readonly byDriver: boolean;
}

const BOUND: ProbeOutcome = { errno: 0, byDriver: true };

/** How the devices and drivers of a bus come together and part (drivers/base/dd.c). Devices' locks are held by the caller. */
export class Binding<D extends Device, R extends Driver<D>> {
  readonly #devices = new Map<R, Set<D>>();

  constructor(private readonly bus: BindingBus<D, R>) {}

  /** The devices that a driver is bound to or is letting go of, in the order in which it took them. */
  devicesOf(driver: R): readonly D[] {
    return [...(this.#devices.get(driver) ?? [])];
  }

  /** What a driver is bound to or is letting go of. */
  driverOf(device: D): R | undefined {
    return device.driver === undefined ? undefined : this.bus.drivers.get(device.driver.name);
  }

  /** A driver has let go of all its devices and leaves. */
  forget(driver: R): void {
    this.#devices.delete(driver);
  }

  /** Whether a driver would be tried for a device now. */
  matches(device: D, driver: R): boolean {
    return device.bindingAllowed && this.bus.type.match(device, driver);
  }

  /** Looks for the driver of a device that is new: drivers that like to be probed apart come in a second round. */
  attachNew(device: D): void {
    const errno = this.attach(device, (driver) => driver.asyncProbe !== true);
    if (device.driver === undefined && errno === 0)
      this.attach(device, (driver) => driver.asyncProbe === true);
  }

  /** Tries the drivers in order until one is bound; 0, or `-EINVAL` if something stopped the search (device_attach). */
  attach(device: D, wanted: (driver: R) => boolean = () => true): number {
    if (device.driver !== undefined || device.dead) return 0;
    for (const driver of [...this.bus.drivers.values()]) {
      if (!wanted(driver) || !this.matches(device, driver)) continue;
      const { errno, byDriver } = this.#probe(device, driver, true);
      if (errno === 0) return 0;
      // Only what a driver's own probe says lets the next one have a try (dd.c: __device_attach_driver).
      if (!byDriver) return -EINVAL;
    }
    return 0;
  }

  /**
   * Brings one pair together or leaves everything as it was (dd.c: driver_probe_device).
   *
   * @param mayDefer a device whose driver puts it off is tried again later.
   * @returns 0 or a negated errno: what stopped it before the driver's probe, or what that said.
   */
  probe(device: D, driver: R, mayDefer: boolean): number {
    return this.#probe(device, driver, mayDefer).errno;
  }

  /** Unbinds a device, after those that need it; takes as long as the driver's remove does (dd.c: __device_release_driver). */
  detach(device: D, driver: R): Blocking<void> {
    const consumers = [...device.consumers];
    return andThen(
      inTurn(consumers, (consumer) => consumer.bus?.release(consumer)),
      () => {
        device.driverLinked = false;
        return andThen(this.bus.type.remove(device, driver), () => {
          this.#unwind(device, driver);
          this.bus.emit('unbind', device);
        });
      },
    );
  }

  #probe(device: D, driver: R, mayDefer: boolean): ProbeOutcome {
    const { deferred } = this.bus.core;
    const outcome = this.#reallyProbe(device, driver);
    if (outcome.errno === 0) {
      deferred.delete(device);
      deferred.request();
    } else if (outcome.errno === -EPROBE_DEFER && mayDefer) deferred.add(device);
    return outcome;
  }

  #reallyProbe(device: D, driver: R): ProbeOutcome {
    const { core, type } = this.bus;
    const refused = (errno: number): ProbeOutcome => ({ errno, byDriver: false });
    if (device.dead) return refused(-ENODEV);
    const supplied = [...device.suppliers].every((supplier) => supplier.bound);
    if (core.probingBlocked || !supplied) return refused(-EPROBE_DEFER);
    if (device.leftoverResources) return refused(-EBUSY);
    device.driver = driver;
    const claimed = type.dmaConfigure?.(device, driver) ?? 0;
    if (claimed < 0) {
      device.driver = undefined;
      return refused(claimed);
    }
    // The links stand before the driver has said yes: a reader may see them come and go.
    device.driverLinked = true;
    this.#devices.set(driver, (this.#devices.get(driver) ?? new Set<D>()).add(device));
    const errno = type.probe(device, driver);
    if (errno < 0) {
      this.#unwind(device, driver);
      this.#logFailure(device, driver, errno);
      return { errno, byDriver: true };
    }
    if (errno > 0)
      core.log.write('warning', device.name, `probe of ${driver.name} returned ${errno}`);
    core.log.write('debug', device.name, `bound to ${driver.name}`);
    this.bus.emit('bind', device);
    return BOUND;
  }

  #logFailure(device: D, driver: R, errno: number): void {
    const quiet = errno === -ENODEV || errno === -ENXIO || errno === -EPROBE_DEFER;
    const text = `probe with driver ${driver.name} ${quiet ? 'rejects match' : 'failed with error'} ${errno} (${errnoName(errno)})`;
    this.bus.core.log.write(quiet ? 'debug' : 'error', device.name, text);
  }

  #unwind(device: D, driver: R): void {
    this.bus.type.dmaCleanup?.(device, driver);
    device.driverLinked = false;
    device.driver = undefined;
    device.driverData = undefined;
    this.#devices.get(driver)?.delete(device);
  }
}
