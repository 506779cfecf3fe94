export { CaptureSysfs } from './sysfs/capture-sysfs.js';
export { LiveSysfs } from './sysfs/live-sysfs.js';
export { readCapture } from './sysfs/read-capture.js';
