import { GENERIC_DRIVER } from '../policy/generic.js';

export type StepName = 'load' | 'override' | 'unbind' | 'bind' | 'verify';

/** One thing that is done to the machine, in the order in which it is done. */
export interface Operation {
  readonly step: StepName;
  readonly device: string;
  /** The file that is written; a module's name for `load`, a link that is read for `verify`. */
  readonly path: string;
  /** What is written, byte for byte. */
  readonly bytes: string;
  readonly expect: string;
  /** What takes it back; absent where there is nothing to take back. */
  readonly undo?: { readonly path: string; readonly bytes: string };
}

/** What a device is to become, and what it was. */
export interface Target {
  readonly device: string;
  /** The driver it shall have; null to have none, undefined while its module is not loaded. */
  readonly driver: string | null | undefined;
  /** The module to be loaded first. */
  readonly load?: string;
  /** What is tried next, in this order, if the driver does not take the device or turns out to be no VFIO driver. */
  readonly alternatives?: readonly {
    readonly driver: string | undefined;
    readonly load?: string;
  }[];
  /** What was there: restored by name. */
  readonly before: { readonly driver: string | null; readonly override: string | null };
}

const BUS = '/sys/bus/pci';

export const overridePath = (device: string): string => `${BUS}/devices/${device}/driver_override`;
export const bindPath = (driver: string): string => `${BUS}/drivers/${driver}/bind`;
export const unbindPath = (driver: string): string => `${BUS}/drivers/${driver}/unbind`;
export const driverLink = (device: string): string => `${BUS}/devices/${device}/driver`;

/** What a write puts into `driver_override`: a bare newline clears it, no bytes at all would do nothing. */
export const overrideText = (override: string | null): string => override ?? '\n';

/**
 * The writes that bring a set of devices to their drivers: every override before the first unbind, which keeps the native
 * drivers from taking a device back in between; then every unbind; then every bind.
 */
export function planOperations(targets: readonly Target[]): readonly Operation[] {
  const loads = [...new Set(targets.flatMap(({ load }) => (load === undefined ? [] : [load])))];
  const named = (driver: string | undefined, load: string | undefined) =>
    driver ?? `(the driver of ${load ?? GENERIC_DRIVER})`;
  const moving = targets.filter(({ driver, before }) => driver !== before.driver);
  return [
    ...loads.map(
      (module): Operation => ({
        step: 'load',
        device: moving.find(({ load }) => load === module)?.device ?? '',
        path: `/sys/module/${module}`,
        bytes: '',
        expect: `module ${module} is loaded; others may be bound by overrides that waited for it`,
      }),
    ),
    ...moving.map(
      ({ device, driver, load, before }): Operation => ({
        step: 'override',
        device,
        path: overridePath(device),
        bytes: driver === null ? 'none' : named(driver, load),
        expect: 'nothing else matches the device any more',
        undo: { path: overridePath(device), bytes: overrideText(before.override) },
      }),
    ),
    ...moving
      .filter(({ before }) => before.driver !== null)
      .map(
        ({ device, before }): Operation => ({
          step: 'unbind',
          device,
          path: unbindPath(before.driver!),
          bytes: device,
          expect: `${before.driver} lets the device go; waits while it is in use`,
          undo: { path: bindPath(before.driver!), bytes: device },
        }),
      ),
    ...moving
      .filter(({ driver }) => driver !== null)
      .map(
        ({ device, driver, load }): Operation => ({
          step: 'bind',
          device,
          path: bindPath(named(driver!, load)),
          bytes: device,
          expect: 'the device is bound',
          undo: { path: unbindPath(named(driver!, load)), bytes: device },
        }),
      ),
    ...moving.map(
      ({ device, driver, load }): Operation => ({
        step: 'verify',
        device,
        path: driverLink(device),
        bytes: '',
        expect:
          driver === null
            ? 'the link is gone'
            : `the link leads to ${named(driver, load)}, vfio-dev is there, the override is as it was written`,
      }),
    ),
  ];
}
