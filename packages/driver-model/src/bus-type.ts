import type { Blocking } from './blocking.js';
import type { Device } from './device.js';
import type { Driver } from './driver.js';
import type { Attribute } from './sysfs/attribute.js';
import type { SysfsDirectory } from './sysfs/node.js';

/** What makes a bus that bus (struct bus_type): its devices, its drivers, how they match, what binding them takes. */
export interface BusType<D extends Device, R extends Driver<D>> {
  readonly name: string;
  /** Whether its devices have a `driver_override`. */
  readonly overridable: boolean;
  /** Whether a driver is one for a device. Asked before every probe; has no effects. */
  match(device: D, driver: R): boolean;
  /** Calls the driver's probe: 0 or more for success, or a negated errno. */
  probe(device: D, driver: R): number;
  /** Calls the driver's remove. */
  remove(device: D, driver: R): Blocking<void>;
  /** Lays claim to DMA for a driver: 0 or a negated errno (bus_type.dma_configure). */
  dmaConfigure?(device: D, driver: R): number;
  /** Gives back what {@link dmaConfigure} took. */
  dmaCleanup?(device: D, driver: R): void;
  /** Looks for devices that are there and not yet known: a write to `rescan`. */
  rescan?(): void;
  /** A driver has gone: forget what belonged to it. */
  driverGone?(driver: R): void;
  /** The variables of a device's uevents, `DRIVER` left out. */
  uevent(device: D): Readonly<Record<string, string>>;
  readonly deviceAttributes: ReadonlyMap<string, Attribute<D>>;
  readonly driverAttributes: ReadonlyMap<string, Attribute<R>>;
  readonly busAttributes: readonly Attribute<void>[];
  /** What a device's directory shows besides attributes and {@link Device.entries}. */
  deviceEntries?(device: D): SysfsDirectory;
}
