import type { NativeDriver } from '@vfiokit/core';
import type { PciBusDevice, PciDriver, PciDriverBus, PciIdEntry } from '@vfiokit/driver-model';
import { andThen, type Directory, linkTo, textFile } from '@vfiokit/driver-model';
import type { PciDevice } from '@vfiokit/pci';
import type { DriverSpec } from './description.js';

/** What the drivers of a modelled machine need of it. */
export interface DriverSurroundings {
  readonly bus: () => PciDriverBus;
  /** The function behind a device of the bus. */
  readonly function: (device: PciBusDevice) => PciDevice;
  /** What a function's own driver makes of it, by folder: `{ net: 'eth0' }`. */
  readonly provides: (device: PciBusDevice) => Readonly<Record<string, string>>;
  /** `/sys/class`. */
  readonly classes: Directory;
  /** What drivers leave at their functions for others. */
  readonly nativeDrivers: readonly NativeDriver[];
  /** VFs that appeared in silicon are to be put on the bus now. */
  readonly settleVfs: () => void;
}

/** The id table entries that a description's words stand for. */
export function idEntries(words: readonly string[]): readonly PciIdEntry[] {
  return words.map((word) => {
    if (word.startsWith('class ')) {
      const code = word.slice('class '.length);
      return {
        class: parseInt(code.replaceAll('x', '0'), 16),
        classMask: parseInt(code.replaceAll(/[0-9a-f]/g, 'f').replaceAll('x', '0'), 16),
      };
    }
    const [vendor, device] = word.split(':');
    return {
      vendor: parseInt(vendor!, 16),
      ...(device === '*' ? {} : { device: parseInt(device!, 16) }),
    };
  });
}

/** A host driver of a described machine: it takes what its ids name, and makes of it what the description says. */
export function modelDriver(
  spec: DriverSpec,
  module: string | undefined,
  surroundings: DriverSurroundings,
): PciDriver {
  return {
    name: spec.name,
    ...(module === undefined ? {} : { module }),
    managedDma: spec.managedDma,
    ...(spec.ids === undefined ? {} : { ids: idEntries(spec.ids) }),
    probe: (device) => {
      const pdev = surroundings.function(device);
      if (drives(spec)) {
        const errno = pdev.enable();
        if (errno < 0) return errno;
        pdev.setMaster(true);
      }
      const native = surroundings.nativeDrivers.find(({ name }) => name === spec.name);
      pdev.driverData = native?.probe(pdev);
      addClassDevices(device, surroundings);
      return 0;
    },
    remove: (device) => {
      removeClassDevices(device, surroundings);
      return andThen(surroundings.bus().disableVfs(device), () => {
        const pdev = surroundings.function(device);
        pdev.sriov?.disable();
        pdev.driverData = undefined;
        if (!drives(spec)) return;
        pdev.setMaster(false);
        pdev.disable();
      });
    },
    ...(spec.sriov
      ? {
          sriovConfigure: (device: PciBusDevice, count: number) =>
            configure(device, count, surroundings),
        }
      : {}),
  };
}

/** Whether a driver switches its functions on; one without a table only keeps others away from them, as pci-stub does. */
function drives({ ids }: DriverSpec): boolean {
  return ids !== undefined;
}

function configure(
  device: PciBusDevice,
  count: number,
  { bus, function: functionOf, settleVfs }: DriverSurroundings,
): number | Promise<number> {
  const { sriov } = functionOf(device);
  if (count === 0)
    return andThen(bus().disableVfs(device), () => {
      sriov?.disable();
      return 0;
    });
  const errno = sriov?.enable(count) ?? 0;
  settleVfs();
  return errno < 0 ? errno : count;
}

function addClassDevices(device: PciBusDevice, { provides, classes }: DriverSurroundings): void {
  for (const [folder, name] of Object.entries(provides(device))) {
    const made = device.entries.directory(folder).directory(name);
    made.set('uevent', textFile('', 0o644));
    made.set('device', linkTo(device.path));
    classes.directory(folder).set(name, linkTo(`${device.path}/${folder}/${name}`));
  }
}

function removeClassDevices(device: PciBusDevice, { provides, classes }: DriverSurroundings): void {
  for (const [folder, name] of Object.entries(provides(device))) {
    device.entries.delete(folder);
    classes.directory(folder).delete(name);
  }
}
