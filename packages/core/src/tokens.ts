import type { DependencyContainer, InjectionToken } from 'tsyringe';
import type {
  DeviceExtension,
  DeviceOverride,
  DeviceRegionProvider,
  DirtyLogOps,
  DmaBufProvider,
  MigrationOps,
  OpenHook,
  PlatformHook,
  ResetHooks,
} from './extension.js';
import type { NativeDriver, SiliconModel } from './variant.js';
import type { VfioPciSettings } from './vfio-pci.js';
import type { VfioPciDriver } from './vfio-pci-driver.js';

// On the host's container.

/** Drivers derived from the core, in order of registration. Several. */
export const VFIO_PCI_DRIVERS: InjectionToken<VfioPciDriver> = Symbol('VFIO_PCI_DRIVERS');
/** What plain vfio-pci brings to particular functions. Several. */
export const VFIO_PCI_EXTENSIONS: InjectionToken<DeviceExtension> = Symbol('VFIO_PCI_EXTENSIONS');
/** What the machine does for every device. Several. */
export const PLATFORM_HOOKS: InjectionToken<PlatformHook> = Symbol('PLATFORM_HOOKS');
/** What functions are beyond a machine's description of them; each is asked about what the one before it made. Several. */
export const SILICON: InjectionToken<SiliconModel> = Symbol('SILICON');
/** What native drivers leave at their functions for the drivers of VFs. Several. */
export const NATIVE_DRIVERS: InjectionToken<NativeDriver> = Symbol('NATIVE_DRIVERS');
/** Parameters of the module, how the modelled kernel was built, which of its warts are mended. */
export const VFIO_PCI_SETTINGS: InjectionToken<VfioPciSettings> = Symbol('VFIO_PCI_SETTINGS');
/** The host's container itself, which gives every bound device a child of its own. */
export const HOST_CONTAINER: InjectionToken<DependencyContainer> = Symbol('HOST_CONTAINER');

// On a device's own container, where its driver's probe puts them; of those that are one, the last counts.

/** The name of the driver's table of operations (vfio_device_ops.name), where it is not the driver's own. One. */
export const OPS_NAME: InjectionToken<string> = Symbol('OPS_NAME');
/**
 * Takes back what a probe set up, when the device is unbound or binding it fails later on. Several, run last first.
 */
export const RELEASE_HOOKS: InjectionToken<() => void> = Symbol('RELEASE_HOOKS');
/** What a driver does when its device opens. Several. */
export const OPEN_HOOKS: InjectionToken<OpenHook> = Symbol('OPEN_HOOKS');
/** Regions behind the fixed nine. Several. */
export const DEVICE_REGIONS: InjectionToken<DeviceRegionProvider> = Symbol('DEVICE_REGIONS');
/** Layers in front of the core. Several; a later one stands in front of an earlier one. */
export const DEVICE_OVERRIDES: InjectionToken<DeviceOverride> = Symbol('DEVICE_OVERRIDES');
/** How its state is moved. One. */
export const MIGRATION: InjectionToken<MigrationOps> = Symbol('MIGRATION');
/** How it logs the pages that its DMA writes. One. */
export const DIRTY_LOG: InjectionToken<DirtyLogOps> = Symbol('DIRTY_LOG');
/** What its driver does around resets. One. */
export const RESET_HOOKS: InjectionToken<ResetHooks> = Symbol('RESET_HOOKS');
/** What memory of it can be lent, in the place of its BARs. One. */
export const DMABUF_PROVIDER: InjectionToken<DmaBufProvider> = Symbol('DMABUF_PROVIDER');
