import 'reflect-metadata';

export { combineIovaRanges } from './combine-iova-ranges.js';
export type { CapabilityEntry } from './config/config-layout.js';
export type { ConfigByte } from './config/virtual-config.js';
export { VfioPciCoreDevice } from './core-device.js';
export { DeviceFile } from './device-file.js';
export { BarDmaBufProvider, DmaBuf, type DmaBufImporter } from './dma-buf.js';
export * from './extension.js';
export * from './firmware-table.js';
export { arcs, nextState } from './migration/next-state.js';
export * from './migration/record-stream.js';
export { type ModuleIds, parseModuleIds } from './module-ids.js';
export type { OpenDevice } from './open-device.js';
export { type OpenedFunction, type OpenFunctionOptions, openFunction } from './open-function.js';
export type { KernelConfig, ModuleParameters } from './parameters.js';
export { pfDriverData, vfIndex } from './pf-driver-data.js';
export { KERNEL_QUIRKS, type Quirks } from './quirks.js';
export { doIoRw, type IoWindow } from './regions/io.js';
export { overrideRegisters, type RegionRegister } from './regions/override-registers.js';
export {
  type Region,
  type RegionInfo,
  readByPread,
  writeByPwrite,
} from './regions/region.js';
export { getValue, putValue, type UserBuffer } from './regions/user-buffer.js';
export { type CoreOptions, registerCore, VFIO_PCI } from './register.js';
export * from './tokens.js';
export type { MachineFacts, NativeDriver, SiliconModel, Variant } from './variant.js';
export { VfioPci, type VfioPciSettings } from './vfio-pci.js';
export type { PciDeviceId, VfioPciDriver } from './vfio-pci-driver.js';
