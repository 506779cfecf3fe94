import 'reflect-metadata';

export { type CaptureMachineOptions, captureMachine } from './machine/capture-machine.js';
export { describeCapture } from './machine/describe-capture.js';
export type { FunctionSpec, MachineDescription, MachineLiteral } from './machine/description.js';
export { machineJsonSchema } from './machine/json-schema.js';
export { Machine, type MachineOptions } from './machine/machine.js';
export type { DeviceUser } from './machine/open-devices.js';
export { describeMachine, readDescription } from './machine/read-description.js';
export {
  describedMachines,
  type OpenedMachine,
  openMachine,
  shippedMachine,
  shippedMachines,
} from './machine/shipped.js';
export { CaptureSysfs } from './sysfs/capture-sysfs.js';
export { LiveSysfs } from './sysfs/live-sysfs.js';
export { MODPROBE } from './sysfs/modprobe.js';
export { readCapture } from './sysfs/read-capture.js';
export { fileError } from './sysfs/system-errno.js';
export { type WalkedEntry, walk } from './sysfs/walk.js';
export { type CaptureCount, exportSysfs, writeCapture } from './sysfs/write-capture.js';
export { writeWhole } from './sysfs/write-whole.js';
