export * from './blocking.js';
export { Bus } from './bus.js';
export type { BusType } from './bus-type.js';
export * from './clock.js';
export * from './deferred-probe.js';
export * from './device.js';
export * from './device-lock.js';
export * from './driver.js';
export * from './driver-core.js';
export * from './driver-override.js';
export * from './kernel-log.js';
export { Module } from './module.js';
export * from './pci/dynamic-ids.js';
export * from './pci/pci-bus-device.js';
export * from './pci/pci-driver.js';
export * from './pci/pci-driver-bus.js';
export {
  matchDevice,
  PCI_ANY_ID,
  type PciIdEntry,
  type PciMatchCandidate,
} from './pci/pci-id-table.js';
export * from './sysfs/attempt.js';
export * from './sysfs/attribute.js';
export { type CNumber, cNumberAt, kstrtoul, parseBoolean } from './sysfs/kstrtox.js';
export * from './sysfs/model-sysfs.js';
export * from './sysfs/node.js';
export * from './sysfs/sysfs.js';
export * from './uevent.js';
