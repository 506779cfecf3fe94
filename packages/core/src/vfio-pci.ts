import { type IommuGroup, IommuGroups, VfioGroups } from '@vfiokit/iommu';
import {
  PCI_D0,
  PCI_HEADER_TYPE_NORMAL,
  type PciDevice,
  type PciErrorHandlers,
  type RuntimePmCallbacks,
} from '@vfiokit/pci';
import { VfioError } from '@vfiokit/uapi';
import { type DependencyContainer, inject, injectable } from 'tsyringe';
import { VfioPciCoreDevice } from './core-device.js';
import { isDenied } from './denylist.js';
import { DeviceSets } from './device-set.js';
import { BarDmaBufProvider } from './dma-buf.js';
import type { ResetHooks } from './extension.js';
import type { Extensions } from './extensions.js';
import { MigrationDevice } from './migration/migration-device.js';
import type { KernelConfig, ModuleParameters } from './parameters.js';
import type { Quirks } from './quirks.js';
import { resolveAll, resolveOne } from './resolve.js';
import { SriovControl } from './sriov.js';
import {
  DEVICE_OVERRIDES,
  DEVICE_REGIONS,
  DIRTY_LOG,
  DMABUF_PROVIDER,
  HOST_CONTAINER,
  MIGRATION,
  OPEN_HOOKS,
  OPS_NAME,
  PLATFORM_HOOKS,
  RELEASE_HOOKS,
  RESET_HOOKS,
  VFIO_PCI_DRIVERS,
  VFIO_PCI_SETTINGS,
} from './tokens.js';
import { UndoStack } from './undo-stack.js';
import { VfToken } from './vf-token.js';
import type { VfioPciDriver } from './vfio-pci-driver.js';

/** How the module was built and loaded. */
export interface VfioPciSettings {
  /** May be changed at any time, as files under /sys/module/vfio_pci/parameters may. */
  readonly parameters: ModuleParameters;
  readonly kernel: KernelConfig;
  readonly quirks: Quirks;
  /** 16 bytes that nobody can guess: the first token of a PF. */
  readonly randomToken: () => Uint8Array;
  /** Sets the `driver_override` of a VF that has just appeared, before drivers are matched to it. */
  readonly overrideDriver: (vf: PciDevice, driver: string) => void;
}

/**
 * The VFIO PCI drivers of a host, plain and derived: binds functions to them and lets them go
 * (vfio_pci_core.c: vfio_pci_core_register_device, vfio_pci_core_unregister_device).
 */
@injectable()
export class VfioPci {
  readonly #sets = new DeviceSets();
  readonly #sriov: SriovControl;
  readonly #bound = new Map<PciDevice, BoundDevice>();

  constructor(
    @inject(VFIO_PCI_SETTINGS) private readonly settings: VfioPciSettings,
    @inject(VfioGroups) private readonly groups: VfioGroups,
    @inject(IommuGroups) private readonly iommuGroups: IommuGroups,
    @inject(HOST_CONTAINER) private readonly host: DependencyContainer,
  ) {
    this.#sriov = new SriovControl(settings);
  }

  get parameters(): ModuleParameters {
    return this.settings.parameters;
  }

  /** The drivers by name; plain vfio-pci is always among them. */
  driver(name: string): VfioPciDriver | undefined {
    return this.drivers().find((driver) => driver.name === name);
  }

  drivers(): readonly VfioPciDriver[] {
    return resolveAll(this.host, VFIO_PCI_DRIVERS);
  }

  /** The bound device of a function. */
  device(pdev: PciDevice): VfioPciCoreDevice | undefined {
    return this.#bound.get(pdev)?.device;
  }

  /**
   * Binds a function to a driver.
   *
   * @throws VfioError EINVAL for a bridge, a denied function, a missing IOMMU group or a driver that is put together
   *   wrongly; EBUSY for a PF that has VFs; ENODEV for a driver that there is not; what the driver refuses with.
   */
  bind(
    pdev: PciDevice,
    iommuGroup: IommuGroup | undefined,
    driverName = 'vfio-pci',
  ): VfioPciCoreDevice {
    const driver = this.driver(driverName);
    if (driver === undefined)
      throw new VfioError('ENODEV', `${driverName}: there is no such VFIO PCI driver`);
    const { parameters } = this.settings;
    if (driver.denylist && !parameters.disable_denylist && isDenied(pdev.vendor, pdev.device))
      throw new VfioError(
        'EINVAL',
        `${pdev.name}: on the denylist of ${driver.name}; the parameter disable_denylist overrules it`,
      );
    const container = this.host.createChildContainer();
    try {
      driver.probe?.(pdev, container);
      return this.#register(pdev, iommuGroup, driver, container);
    } catch (error) {
      release(container);
      throw error;
    }
  }

  /**
   * Lets a device go. Its user is asked to give it back, and asked again by every later
   * {@link VfioPciCoreDevice.request}; nothing takes it away by force (quirk W40).
   *
   * @param done called once the device is unbound: now, if nobody has it open.
   */
  unbind(device: VfioPciCoreDevice, done: () => void = () => {}): void {
    this.#sriov.disable(device);
    // Whoever removes a driver holds the device's lock until it is gone, so nobody can reset the function meanwhile.
    const locked = device.pdev.tryLock();
    device.goingAway = true;
    this.groups.withdraw(device);
    if (device.openCount > 0) device.request();
    device.whenClosed(() => {
      this.groups.unregister(device);
      const container = this.#bound.get(device.pdev)?.container;
      this.#forget(device);
      if (container !== undefined) release(container);
      if (locked) device.pdev.unlock();
      done();
    });
  }

  /**
   * A write to sriov_numvfs of a bound PF (pci_iov.c: sriov_numvfs_store, vfio_pci_core.c: vfio_pci_core_sriov_configure).
   *
   * @returns the number of VFs, 0 if nothing changes, or a negated errno: `-ERANGE` above the total, `-EBUSY` while there are others, `-ENOENT`
   *   if the driver can't or `enable_sriov` is off (also for 0: quirk W21).
   */
  setNumVfs(device: VfioPciCoreDevice, count: number): number {
    const able = this.driver(device.driver)?.sriov ?? false;
    return this.#sriov.setNumVfs(device, count, able);
  }

  #register(
    pdev: PciDevice,
    iommuGroup: IommuGroup | undefined,
    driver: VfioPciDriver,
    container: DependencyContainer,
  ): VfioPciCoreDevice {
    if (driver.name === '')
      throw new VfioError('EINVAL', `${pdev.name}: a VFIO driver needs a name`);
    if (pdev.headerType !== PCI_HEADER_TYPE_NORMAL)
      throw new VfioError(
        'EINVAL',
        `${pdev.name}: a bridge can't be handed to a user; bind the functions behind it`,
      );
    if (pdev.driverData !== undefined)
      throw new VfioError('EBUSY', `${pdev.name}: bound already; unbind it first`);
    const migration = resolveOne(container, MIGRATION);
    const dirtyLog = resolveOne(container, DIRTY_LOG);
    requireCallbacks(pdev, 'migration', migration, ['arc', 'dataSize']);
    requireCallbacks(pdev, 'dirty logging', dirtyLog, ['start', 'stop', 'readAndClear']);
    if ((pdev.sriov?.numVfs ?? 0) > 0)
      throw new VfioError(
        'EBUSY',
        `${pdev.name}: has VFs; write 0 to sriov_numvfs before it is bound`,
      );

    const device = new VfioPciCoreDevice({
      ...this.settings,
      pdev,
      iommuGroup,
      driver: driver.name,
      opsName: resolveOne(container, OPS_NAME) ?? driver.name,
      offsetShift: driver.offsetShift,
      platformHooks: resolveAll(this.host, PLATFORM_HOOKS),
      migration: migration && new MigrationDevice(migration),
      dirtyLog,
      vfToken: pdev.isPhysfn ? new VfToken(this.settings.randomToken()) : undefined,
      pfToken: this.#sriov.tokenFor(pdev),
      groupIdOf: ({ name }) => [...this.iommuGroups].find(({ members }) => members.has(name))?.id,
      extensions: () => this.#extensions(driver, pdev, container),
    });
    pdev.driverData = device;
    device.deviceSet = this.#sets.join(device);
    pdev.resetHooks = errorHandlers(device, resolveOne(container, RESET_HOOKS));
    device.power.set(PCI_D0);
    pdev.runtimePm.callbacks = runtimeCallbacks(device);
    if (!device.disableIdleD3) pdev.runtimePm.put();
    this.#bound.set(pdev, { device, container });
    try {
      this.groups.register(device);
    } catch (error) {
      this.#forget(device);
      throw error;
    }
    return device;
  }

  /** Takes back what registering did, the group apart. */
  #forget(device: VfioPciCoreDevice): void {
    const { pdev } = device;
    if (!device.disableIdleD3) pdev.runtimePm.get();
    pdev.runtimePm.callbacks = undefined;
    pdev.resetHooks = undefined;
    pdev.driverData = undefined;
    this.#sets.leave(device);
    this.#bound.delete(pdev);
  }

  #extensions(driver: VfioPciDriver, pdev: PciDevice, container: DependencyContainer): Extensions {
    const standard = (driver.dmaBuf ?? true) ? new BarDmaBufProvider(pdev) : undefined;
    return {
      openHooks: resolveAll(container, OPEN_HOOKS),
      regions: resolveAll(container, DEVICE_REGIONS),
      overrides: resolveAll(container, DEVICE_OVERRIDES),
      dmaBuf: resolveOne(container, DMABUF_PROVIDER) ?? standard,
    };
  }
}

interface BoundDevice {
  readonly device: VfioPciCoreDevice;
  readonly container: DependencyContainer;
}

/** What a probe set up goes again, last first. */
function release(container: DependencyContainer): void {
  const hooks = new UndoStack();
  for (const hook of resolveAll(container, RELEASE_HOOKS)) hooks.push(hook);
  hooks.unwind();
}

/** Every driver hears of errors; of resets that others carry out a migrating device does, and whoever wants to. */
function errorHandlers(device: VfioPciCoreDevice, hooks: ResetHooks | undefined): PciErrorHandlers {
  return {
    errorDetected: () => device.errorDetected(),
    prepare: () => hooks?.prepare?.(),
    done: () => {
      device.migration?.reset();
      hooks?.done?.();
    },
  };
}

/** What the device does around its sleep (vfio_pci_core.c: vfio_pci_core_pm_ops). */
function runtimeCallbacks(device: VfioPciCoreDevice): RuntimePmCallbacks {
  return {
    // The PCI core is to save a function that is awake, whatever state its user left it in.
    suspend: () => {
      device.power.set(PCI_D0);
      device.opened?.lowPower.suspended();
      return 0;
    },
    resume: () => {
      device.opened?.lowPower.resumed();
      return 0;
    },
  };
}

/** What TypeScript would say at compile time, for drivers written without it (vfio_main.c: __vfio_register_dev). */
function requireCallbacks<T extends object>(
  pdev: PciDevice,
  what: string,
  ops: T | undefined,
  names: readonly (keyof T & string)[],
): void {
  const missing = names.filter((name) => ops !== undefined && typeof ops[name] !== 'function');
  if (missing.length > 0)
    throw new VfioError('EINVAL', `${pdev.name}: its driver's ${what} lacks ${missing.join(', ')}`);
}
