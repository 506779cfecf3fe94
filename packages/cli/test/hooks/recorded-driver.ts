import {
  DEVICE_OVERRIDES,
  DEVICE_REGIONS,
  type DeviceOverride,
  type DeviceRegion,
  DIRTY_LOG,
  DMABUF_PROVIDER,
  MIGRATION,
  type MigrationOps,
  OPEN_HOOKS,
  OPS_NAME,
  type OpenedFunction,
  type OpeningDevice,
  openFunction,
  PLATFORM_HOOKS,
  type PlatformHook,
  RELEASE_HOOKS,
  RESET_HOOKS,
  type ResetHooks,
  type Variant,
  VFIO_PCI_DRIVERS,
  VFIO_PCI_EXTENSIONS,
  type VfioPciDriver,
} from '@vfiokit/core';
import { describeMachine, Machine, type MachineDescription } from '@vfiokit/host';
import type { PciDevice } from '@vfiokit/pci';
import { DeviceClient } from '@vfiokit/uapi';
import { type DependencyContainer, type InjectionToken, container as root } from 'tsyringe';

/** What a driver put into its device's container, and what it asked of the device while that opened. */
export interface Recorded {
  readonly driver: VfioPciDriver;
  readonly pdev: PciDevice;
  readonly platform: readonly PlatformHook[];
  readonly container: DependencyContainer;
  readonly overrides: readonly DeviceOverride[];
  readonly migration: MigrationOps | undefined;
  readonly resetHooks: ResetHooks | undefined;
  readonly regions: readonly DeviceRegion[];
  /**
   * Properties of {@link OpeningDevice} that it used; `accessible` where a mapping has its own rule for faults; `region 4`
   * for one that it stands in front of.
   */
  readonly used: ReadonlySet<string>;
  /** Whether it brought something of this kind. */
  has(token: InjectionToken<unknown>): boolean;
}

/** A device that is open under a driver of which everything is recorded. */
export interface RecordedDevice extends Recorded, Disposable {
  readonly opened: OpenedFunction;
  readonly client: DeviceClient;
}

const all = <T>(container: DependencyContainer, token: InjectionToken<T>): readonly T[] =>
  container.isRegistered(token, true) ? container.resolveAll(token) : [];

export interface OpenOptions {
  readonly machine: MachineDescription;
  readonly variant: Variant;
  readonly at: string;
  /** The driver of the device; vfio-pci without it. */
  readonly driver?: string;
  /** Changes the function before the driver meets it. */
  readonly prepare?: (pdev: PciDevice) => void;
}

/** Opens a device of a machine under a driver that a variant brought there, and records. */
export function openRecorded({
  machine,
  variant,
  at,
  driver,
  prepare,
}: OpenOptions): RecordedDevice {
  const description = describeMachine(machine);
  const model = new Machine(description, { register: variant });
  const pdev = model.function(at);
  pdev.driverData = undefined;
  prepare?.(pdev);
  const brought = root.createChildContainer();
  variant(brought, description);
  const found = all(brought, VFIO_PCI_DRIVERS).find(({ name }) => name === driver);
  const used = new Set<string>();
  const regions: DeviceRegion[] = [];
  let own = root.createChildContainer();
  const plain: VfioPciDriver = {
    name: 'vfio-pci',
    ids: [],
    probe: (one, container) => {
      for (const extension of all(brought, VFIO_PCI_EXTENSIONS)) extension.probe(one, container);
    },
  };
  const recorded = found ?? plain;
  const opened = openFunction(pdev, {
    driver: {
      ...recorded,
      name: `recorded ${recorded.name}`,
      probe(one, container) {
        own = root.createChildContainer();
        recorded.probe?.(one, own);
        pass(own, container, used, regions);
      },
    },
    register: (host) => {
      for (const hook of all(brought, PLATFORM_HOOKS))
        host.register(PLATFORM_HOOKS, { useValue: hook });
    },
  });
  const client = new DeviceClient(opened.device, opened.process);
  return {
    driver: recorded,
    pdev,
    platform: all(brought, PLATFORM_HOOKS),
    container: own,
    overrides: all(own, DEVICE_OVERRIDES),
    migration: all(own, MIGRATION).at(-1),
    resetHooks: all(own, RESET_HOOKS).at(-1),
    regions,
    used,
    has: (token) => own.isRegistered(token),
    opened,
    client,
    [Symbol.dispose]() {
      client.close();
      opened[Symbol.dispose]();
    },
  };
}

/** Hands on what a probe brought; what opens gets a device that notes what is used of it. */
function pass(
  from: DependencyContainer,
  to: DependencyContainer,
  used: Set<string>,
  regions: DeviceRegion[],
): void {
  for (const token of [OPS_NAME, RELEASE_HOOKS, MIGRATION, DIRTY_LOG, RESET_HOOKS, DMABUF_PROVIDER])
    for (const useValue of all(from, token as InjectionToken<object>))
      to.register(token as InjectionToken<object>, { useValue });
  for (const hook of all(from, OPEN_HOOKS))
    to.register(OPEN_HOOKS, { useValue: { open: (device) => hook.open(noting(device, used)) } });
  for (const provider of all(from, DEVICE_REGIONS))
    to.register(DEVICE_REGIONS, {
      useValue: {
        regions(device) {
          const made = provider.regions(noting(device, used));
          regions.push(...made);
          return made;
        },
      },
    });
  for (const override of all(from, DEVICE_OVERRIDES)) {
    const { region, ioctl, configRegisters } = override;
    const wrapped: DeviceOverride = {
      ...(region && {
        region: (index, next, device) => {
          const made = region.call(override, index, next, noting(device, used));
          if (made !== next) used.add(`region ${index}`);
          return made;
        },
      }),
      ...(ioctl && { ioctl: (next, device) => ioctl.call(override, next, device) }),
      ...(configRegisters && {
        configRegisters: (device) => configRegisters.call(override, device),
      }),
    };
    to.register(DEVICE_OVERRIDES, { useValue: wrapped });
  }
}

function noting(device: OpeningDevice, used: Set<string>): OpeningDevice {
  return new Proxy(device, {
    get(target, property) {
      used.add(String(property));
      const value = Reflect.get(target, property, target) as unknown;
      if (property === 'mapMemory')
        return (memory: Parameters<OpeningDevice['mapMemory']>[0]) => {
          if (memory.accessible !== undefined) used.add('accessible');
          return target.mapMemory(memory);
        };
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
