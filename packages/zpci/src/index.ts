import 'reflect-metadata';

export * from './clp.js';
export { zpciInfoCapabilities } from './info-capabilities.js';
export { INTERPRETING_MACHINE, interpretationAllowed, type ZpciMachine } from './interpretation.js';
export type { ForwardedInterrupts, GuestPages } from './interrupt-forwarding.js';
export { KvmZpci, type KvmZpciDevice, type KvmZpciOptions, type ZpciGuest } from './kvm-zpci.js';
export { registerZpci, type ZpciOptions } from './register.js';
export * from './tokens.js';
export { zpciVariant } from './variant.js';
export { ZpciFunction } from './zpci-function.js';
export { type ZpciFunctions, ZpciHook } from './zpci-hook.js';
export * from './zpci-op.js';
