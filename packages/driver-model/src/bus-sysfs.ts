import { EINVAL } from '@vfiokit/uapi';
import { andThen } from './blocking.js';
import type { Bus } from './bus.js';
import type { Device } from './device.js';
import type { Driver } from './driver.js';
import { deviceNode } from './driver-core.js';
import { NO_OVERRIDE, parseDriverOverride } from './driver-override.js';
import { type Attribute, attributeTable, objectDirectory } from './sysfs/attribute.js';
import { parseUnsigned } from './sysfs/kstrtox.js';
import { linkTo, mapDirectory, type SysfsDirectory, type SysfsNode } from './sysfs/node.js';
import type { UeventAction } from './uevent.js';

const ACTIONS: readonly UeventAction[] = [
  'add',
  'remove',
  'change',
  'move',
  'online',
  'offline',
  'bind',
  'unbind',
];

/** The action that a write to a `uevent` file asks for: its first word (lib/kobject_uevent.c: kobject_synth_uevent). */
function parseAction(text: string): UeventAction | undefined {
  const word = text.split(/[\s\0]/, 1)[0];
  return ACTIONS.find((action) => action === word);
}

/** `/sys/bus/NAME`: devices, drivers and the bus's own files. */
export function busDirectory<D extends Device, R extends Driver<D>>(
  bus: Bus<D, R>,
): SysfsDirectory {
  const files = attributeTable<void>([
    { name: 'drivers_probe', mode: 0o200, store: (_, text) => bus.driversProbe(text) },
    {
      name: 'drivers_autoprobe',
      mode: 0o644,
      show: () => (bus.driversAutoprobe ? '1\n' : '0\n'),
      // Anything that does not begin with a zero is a yes (bus.c: drivers_autoprobe_store).
      store: (_, text) => {
        bus.driversAutoprobe = !text.startsWith('0');
        return 0;
      },
    },
    { name: 'uevent', mode: 0o200, store: (_, text) => (parseAction(text) ? 0 : -EINVAL) },
    ...bus.type.busAttributes,
  ]);
  const directories: ReadonlyMap<string, () => SysfsNode> = new Map([
    ['devices', () => mapDirectory(bus.devices, (device) => linkTo(device.path))],
    ['drivers', () => mapDirectory(bus.drivers, (driver) => bus.driverNode(driver))],
  ]);
  return objectDirectory(
    undefined,
    [files],
    mapDirectory(directories, (make) => make()),
  );
}

/** A driver's directory: `bind` and `unbind` unless it hides them, and a link to each of its devices. */
export function driverDirectory<D extends Device, R extends Driver<D>>(
  bus: Bus<D, R>,
  driver: R,
): SysfsDirectory {
  const visible = () => driver.suppressBindAttrs !== true;
  const files = attributeTable<R>([
    { name: 'bind', mode: 0o200, visible, store: (owner, text) => bus.bind(owner, text) },
    { name: 'unbind', mode: 0o200, visible, store: (owner, text) => bus.unbind(owner, text) },
    { name: 'uevent', mode: 0o200, store: (_, text) => (parseAction(text) ? 0 : -EINVAL) },
  ]);
  const links: SysfsDirectory = {
    kind: 'directory',
    get: (name) => {
      const device = bus.devices.get(name);
      if (device?.driverLinked && device.driver === driver) return linkTo(device.path);
      return name === 'module' && driver.module !== undefined
        ? linkTo(`/sys/module/${driver.module}`)
        : undefined;
    },
    *names() {
      for (const device of bus.devicesOf(driver)) yield device.name;
      if (driver.module !== undefined) yield 'module';
    },
  };
  const alive = () => bus.drivers.get(driver.name) === driver;
  return objectDirectory(driver, [files, bus.type.driverAttributes], links, alive);
}

/** A device's directory: what every device has, what its bus adds, what is only there for now, its children. */
export function deviceDirectory<D extends Device, R extends Driver<D>>(
  bus: Bus<D, R>,
  device: D,
): SysfsDirectory {
  const files = attributeTable<D>([
    {
      name: 'uevent',
      mode: 0o644,
      show: (owner) =>
        Object.entries(bus.uevent(owner))
          .map(([key, value]) => `${key}=${value}\n`)
          .join(''),
      store: (owner, text) => {
        const action = parseAction(text);
        if (action === undefined) return -EINVAL;
        bus.emit(action, owner, { SYNTH_UUID: '0' });
        return 0;
      },
    },
    ...(bus.type.overridable ? [DRIVER_OVERRIDE as Attribute<D>] : []),
  ]);
  const extra = bus.type.deviceEntries?.(device);
  const links: SysfsDirectory = {
    kind: 'directory',
    get: (name) => {
      if (name === 'subsystem') return linkTo(`/sys/bus/${bus.name}`);
      if (name === 'driver')
        return device.bound ? linkTo(bus.driverPath(device.driver!)) : undefined;
      const child = device.children.get(name);
      return child === undefined
        ? (device.entries.get(name) ?? extra?.get(name))
        : deviceNode(child);
    },
    *names() {
      yield 'subsystem';
      if (device.bound) yield 'driver';
      yield* device.entries.names();
      if (extra !== undefined) yield* extra.names();
      yield* device.children.keys();
    },
  };
  const alive = () => bus.devices.get(device.name) === device;
  return objectDirectory(device, [files, bus.type.deviceAttributes], links, alive);
}

/** drivers/base/core.c: driver_override_store, driver_override_show. */
const DRIVER_OVERRIDE: Attribute<Device> = {
  name: 'driver_override',
  mode: 0o644,
  show: (device) => `${device.driverOverride ?? NO_OVERRIDE}\n`,
  store: (device, text) => {
    const value = parseDriverOverride(text);
    if (typeof value === 'number') return value;
    device.driverOverride = value ?? undefined;
    return 0;
  },
};

/** `remove` and `rescan`: any number but 0 does it (drivers/pci/pci-sysfs.c: remove_store, rescan_store). */
export function triggerOnNumber(text: string, act: () => unknown): number | Promise<number> {
  const number = parseUnsigned(text);
  if (number === undefined) return -EINVAL;
  if (number === 0) return 0;
  const done = act();
  return done instanceof Promise ? andThen(done, () => 0) : 0;
}
