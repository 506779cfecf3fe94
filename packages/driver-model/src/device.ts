import type { Blocking } from './blocking.js';
import { DeviceLock } from './device-lock.js';
import type { Driver } from './driver.js';
import { Directory, type SysfsNode } from './sysfs/node.js';

/** What a device asks of the bus it is on, whatever that bus is. */
export interface DeviceBus {
  readonly name: string;
  readonly core: { readonly privileged: boolean };
  /** Unbinds a device from whatever it is bound to. */
  release(device: Device): Blocking<void>;
  /** Takes the device off the bus, unbinding it first. */
  removeDevice(device: Device): Blocking<void>;
  /** Looks for a driver again, if the bus probes by itself. */
  reprobe(device: Device): Blocking<void>;
  /** The device's own directory. */
  node(device: Device): SysfsNode;
}

/** A device of the driver core (struct device). Buses extend it with what they know of theirs. */
export class Device {
  readonly lock = new DeviceLock();
  readonly #children = new Map<string, Device>();
  /** What is in the device's directory besides its attributes: class devices, links. */
  readonly entries = new Directory();
  /** Devices that have to be there before this one is probed. */
  readonly suppliers = new Set<Device>();
  /** Devices that are unbound before this one is. */
  readonly consumers = new Set<Device>();

  /** The bus it is registered on. */
  bus: DeviceBus | undefined;
  /** What it is bound to, or what still lets go of it. */
  driver: Driver<never> | undefined;
  /** Whether `driver` and the driver's link back exist; they go before a removal has ended and come before a probe has. */
  driverLinked = false;
  /** The only driver it may be bound to. */
  driverOverride: string | undefined;
  /** False until the bus has finished adding it: nothing matches it. */
  bindingAllowed = true;
  /** False while it can't be probed yet: `-EAGAIN`. */
  readyToProbe = true;
  /** Resources of an earlier driver that were not freed: no probe succeeds. */
  leftoverResources = false;
  /** What the bound driver keeps for it. */
  driverData: unknown;
  #dead = false;

  constructor(
    readonly name: string,
    readonly parent?: Device,
  ) {}

  /** Below `/sys/devices`, as a link's target. */
  get path(): string {
    return `${this.parent?.path ?? '/sys/devices'}/${this.name}`;
  }

  get children(): ReadonlyMap<string, Device> {
    return this.#children;
  }

  /** It was removed, or is being removed: nothing binds to it any more. */
  get dead(): boolean {
    return this.#dead;
  }

  /** Whether it is bound as far as others can see; a blocked removal already looks unbound. */
  get bound(): boolean {
    return this.driver !== undefined && this.driverLinked;
  }

  /** For buses: takes its place below its parent. */
  attach(): void {
    this.parent?.addChild(this);
  }

  /** For buses: no driver may come near it any more. */
  kill(): void {
    this.#dead = true;
  }

  /** For buses: leaves its parent. */
  detach(): void {
    this.parent?.removeChild(this);
  }

  /** For things that are no bus's devices, such as a host bridge: hangs them below this one. */
  addChild(child: Device): void {
    this.#children.set(child.name, child);
  }

  removeChild(child: Device): void {
    if (this.#children.get(child.name) === child) this.#children.delete(child.name);
  }
}

/** Makes one device need another (device_link_add): probed after it, unbound before it. */
export function linkDevices(consumer: Device, supplier: Device): void {
  consumer.suppliers.add(supplier);
  supplier.consumers.add(consumer);
}
