import 'reflect-metadata';

export { findDvsec, hasMigBug } from './dvsec.js';
export { FakeBar } from './fake-bar.js';
export { FakeBarConfig, FakeBarRegister } from './fake-bar-registers.js';
export { type MemoryPart, type MemorySplit, splitMemory } from './memory-split.js';
export { NvgraceDevice, NvgraceMemoryDevice } from './nvgrace-device.js';
export { nvgraceGpuDriver } from './nvgrace-driver.js';
export type { GpuMemoryProperty, NvgracePlatform } from './nvgrace-platform.js';
export { type ReadBar0, type Readiness, readiness } from './readiness.js';
export { ReadyGate } from './ready-gate.js';
export { type NvgraceGpuOptions, registerNvgraceGpu } from './register.js';
export { nvgraceGpuVariant } from './variant.js';
