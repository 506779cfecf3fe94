import 'reflect-metadata';

export type { CapabilityEntry } from './config/config-layout.js';
export type { ConfigByte, ConfigRegister } from './config/virtual-config.js';
export { VfioPciCoreDevice } from './core-device.js';
export { DeviceFile } from './device-file.js';
export { DmaBuf, type DmaBufImporter } from './dma-buf.js';
export * from './extension.js';
export { arcs, nextState, supportsState } from './migration/next-state.js';
export { moduleAlias } from './module-alias.js';
export { type ModuleIds, parseModuleIds } from './module-ids.js';
export { OpenDevice } from './open-device.js';
export type { KernelConfig, ModuleParameters } from './parameters.js';
export { KERNEL_QUIRKS, type Quirks } from './quirks.js';
export type { Region, RegionInfo, UserBuffer } from './regions/region.js';
export { type CoreOptions, registerCore, VFIO_PCI } from './register.js';
export * from './tokens.js';
export { VfioPci, type VfioPciSettings } from './vfio-pci.js';
export type { PciDeviceId, VfioPciDriver } from './vfio-pci-driver.js';
