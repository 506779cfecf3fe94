import type { Attribute, BusType, Device, Driver } from '@vfiokit/driver-model';

/** A bus of devices that any driver on it takes: one that is there for its place in `/sys`, not for matching. */
export function plainBusType(
  name: string,
  busAttributes: readonly Attribute<void>[] = [],
): BusType<Device, Driver<Device>> {
  return {
    name,
    overridable: false,
    match: () => true,
    probe: () => 0,
    remove: () => {},
    uevent: () => ({}),
    deviceAttributes: new Map(),
    driverAttributes: new Map(),
    busAttributes,
  };
}
