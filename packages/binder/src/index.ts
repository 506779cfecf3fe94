import 'reflect-metadata';

export * from './decision/compare.js';
export type * from './decision/decision.js';
export * from './decision/guards.js';
export * from './decision/operation.js';
export * from './decision/planner.js';
export { renderDecision } from './decision/render-decision.js';
export { type Fact, unreadable } from './facts/attribute-reader.js';
export { type DeviceFacts, describeClass, readDevice } from './facts/device-facts.js';
export * from './facts/group-facts.js';
export * from './facts/host-facts.js';
export { nearest } from './facts/nearest.js';
export { readUsage, type UsageFacts } from './facts/usage-facts.js';
export * from './facts/vfio-users.js';
export { EMITTERS, emit } from './interop/emit.js';
export { findDriver } from './libvirt/find-driver.js';
export * from './libvirt/host-devices.js';
export * from './libvirt/node-device.js';
export * from './modules/alias-index.js';
export * from './modules/best-match.js';
export * from './modules/binary-index.js';
export { globMatches } from './modules/glob.js';
export * from './modules/modprobe-config.js';
export * from './modules/module-index.js';
export * from './modules/vfio-alias.js';
export { ALIAS_BEST_MATCH } from './policy/alias-best-match.js';
export * from './policy/driver-knowledge.js';
export { GENERIC, GENERIC_DRIVER } from './policy/generic.js';
export * from './policy/policy.js';
export { type PolicySubject, selectionPolicyCases } from './policy/policy-contract.js';
export {
  candidateFor,
  isRejection,
  type Resolution,
  resolveDriver,
} from './policy/resolve-driver.js';
export * from './register.js';
export * from './tokens.js';
export { Binder } from './transaction/binder.js';
export type {
  BinderOptions as TransactionOptions,
  Recovery,
  StepFailure,
  TransactionResult,
} from './transaction/binder-options.js';
export { FileJournal } from './transaction/file-journal.js';
export * from './transaction/host-lock.js';
export * from './transaction/journal.js';
export * from './transaction/mediated.js';
export * from './transaction/module-loader.js';
