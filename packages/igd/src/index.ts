import 'reflect-metadata';

export { ASLS, AslsRegister } from './asls.js';
export { BridgeConfig } from './bridge-config.js';
export { Igd } from './igd.js';
export { IGD_KERNEL_QUIRKS, type IgdPlatform, type IgdQuirks } from './igd-platform.js';
export { mapOpRegion, OPREGION_SIZE, OpRegion } from './opregion.js';
export { type IgdOptions, registerIgd } from './register.js';
export * from './tokens.js';
export { igdVariant } from './variant.js';
