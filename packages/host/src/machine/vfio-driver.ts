import type { VfioPci, VfioPciDriver } from '@vfiokit/core';
import {
  andThen,
  attempt,
  type Blocking,
  type DriverCore,
  linkTo,
  type PciBusDevice,
  type PciDriver,
  textFile,
} from '@vfiokit/driver-model';
import type { IommuGroup, NumberPool } from '@vfiokit/iommu';
import type { DriverSurroundings } from './model-driver.js';

/** Between two requests to a user to give a device back (vfio_main.c: vfio_unregister_group_dev). */
const REQUEST_INTERVAL = 10_000;
/** Every so many requests a line is logged (vfio_pci_core.c: vfio_pci_core_request). */
const LOG_INTERVAL = 10;

export interface VfioSurroundings extends DriverSurroundings {
  readonly core: DriverCore;
  readonly vfio: VfioPci;
  /** The N of `vfioN`. */
  readonly numbers: NumberPool;
  readonly group: (device: PciBusDevice) => IommuGroup | undefined;
}

/** How a module's file is called whose driver has dashes or not. */
export function moduleOf(driver: string): string {
  return driver.replaceAll('-', '_');
}

/**
 * A VFIO driver on the driver core's PCI bus: its entries count only with an override, its DMA is its user's, and it lets
 * go of a device when the user does.
 */
export function vfioDriver(driver: VfioPciDriver, surroundings: VfioSurroundings): PciDriver {
  const { vfio, function: functionOf, group, bus } = surroundings;
  return {
    name: driver.name,
    module: moduleOf(driver.name),
    managedDma: true,
    ids: driver.ids.map((entry) => ({ ...entry, overrideOnly: true })),
    probe: (device) =>
      attempt(surroundings.core.log, () => {
        vfio.bind(functionOf(device), group(device), driver.name);
        addVfioDevice(device, surroundings);
      }),
    remove: (device) => andThen(bus().disableVfs(device), () => removeDevice(device, surroundings)),
    // Without enable_sriov the core answers -ENOENT, so the file always gets as far as here.
    ...(driver.sriov
      ? {
          sriovConfigure: (device: PciBusDevice, count: number) =>
            andThen(count === 0 ? bus().disableVfs(device) : undefined, () => {
              const made = vfio.setNumVfs(vfio.device(functionOf(device))!, count);
              surroundings.settleVfs();
              return made;
            }),
        }
      : {}),
  };
}

/** `vfio-dev/vfioN`, the proof that a device is bound to a VFIO driver. */
function addVfioDevice(device: PciBusDevice, { core, numbers }: VfioSurroundings): void {
  const name = `vfio${numbers.take()}`;
  const made = device.entries.directory('vfio-dev').directory(name);
  made.set('uevent', textFile('', 0o644));
  made.set('device', linkTo(device.path));
  core.sys
    .directory('class')
    .directory('vfio-dev')
    .set(name, linkTo(`${device.path}/vfio-dev/${name}`));
}

/** Unregisters a device: it can be opened no more, and is gone when the last user closes it. */
function removeDevice(
  device: PciBusDevice,
  { vfio, function: functionOf, core, numbers }: VfioSurroundings,
): Blocking<void> {
  const bound = vfio.device(functionOf(device));
  if (bound === undefined) return;
  const classes = core.sys.directory('class').directory('vfio-dev');
  for (const name of device.entries.directory('vfio-dev').names()) {
    classes.delete(name);
    numbers.give(Number(name.slice('vfio'.length)));
  }
  device.entries.delete('vfio-dev');

  let released = false;
  let resolve: (() => void) | undefined;
  let stop = () => {};
  vfio.unbind(bound, () => {
    released = true;
    stop();
    resolve?.();
  });
  if (released) return;
  const { log, clock } = core;
  let count = 0;
  const request = (): void => {
    // The first went out when the device was unregistered.
    if (count > 0) bound.request();
    if (bound.req.armed && count % LOG_INTERVAL === 0)
      log.write('info', device.name, `Relaying device request to user (#${count})`);
    if (!bound.req.armed && count === 0)
      log.write(
        'warning',
        device.name,
        'No device request channel registered, blocked until released by user',
      );
    count += 1;
    stop = clock.after(REQUEST_INTERVAL, request);
  };
  request();
  return new Promise((done) => {
    resolve = done;
  });
}
