import 'reflect-metadata';

export { AtsdRegisters, atsdRegions, type NvlinkEnd } from './atsd.js';
export { GpuRam, type GpuWindow, gpuRamRegions } from './gpu-ram.js';
export { Nvlink } from './nvlink.js';
export type { DeviceTreeNode, NvlinkBridge, NvlinkPlatform } from './nvlink-platform.js';
export { type FoundRegion, pairByTarget } from './pairing.js';
export { type NvlinkOptions, registerNvlink } from './register.js';
export * from './tokens.js';
export { nvlinkVariant } from './variant.js';
