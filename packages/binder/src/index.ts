import 'reflect-metadata';

export * from './decision/compare.js';
export type * from './decision/decision.js';
export type { Guard, GuardCode } from './decision/guards.js';
export type { Operation, StepName, Target } from './decision/operation.js';
export * from './decision/planner.js';
export { renderDecision } from './decision/render-decision.js';
export { wrapText } from './decision/text-layout.js';
export { type Fact, unreadable } from './facts/attribute-reader.js';
export { type DeviceFacts, describeClass } from './facts/device-facts.js';
export {
  type GroupFacts,
  type GroupMember,
  groupOf,
  type ViabilityEffect,
} from './facts/group-facts.js';
export { type DriverFacts, findDevice, type HostFacts, readHost } from './facts/host-facts.js';
export { nearest } from './facts/nearest.js';
export { readUsage, type UsageFacts } from './facts/usage-facts.js';
export {
  describeProcesses,
  type NodeOwners,
  type Process,
  readVfioUsers,
  type VfioUsers,
} from './facts/vfio-users.js';
export { EMITTED_TOOLS, emit } from './interop/emit.js';
export { findDriver } from './libvirt/find-driver.js';
export * from './libvirt/host-devices.js';
export * from './libvirt/node-device.js';
export type { StubMode } from './libvirt/stub-binding.js';
export * from './modules/alias-index.js';
export * from './modules/best-match.js';
export * from './modules/binary-index.js';
export { globMatches } from './modules/glob.js';
export { type ModprobeConfig, NO_CONFIG, parseModprobeConfig } from './modules/modprobe-config.js';
export * from './modules/module-index.js';
export {
  type AliasField,
  type AliasFields,
  type FieldMatch,
  parseModalias,
} from './modules/vfio-alias.js';
export { ALIAS_BEST_MATCH } from './policy/alias-best-match.js';
export {
  type DriverKnowledge,
  FEATURES,
  type Feature,
  type KnownDriver,
  LINUX_7_2,
} from './policy/driver-knowledge.js';
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
export {
  type DeviceIdentity,
  type DeviceState,
  type JournalIntent,
  type JournalRecord,
  type JournalStep,
  type JournalStore,
  type JournalTarget,
  MemoryJournal,
  parseJournal,
  type TransactionState,
} from './transaction/journal.js';
export * from './transaction/mediated.js';
export * from './transaction/module-loader.js';
