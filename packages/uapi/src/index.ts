export * from './errno.js';
export * from './error.js';
export * from './event-fd.js';
export * from './file.js';
export * from './process.js';
export * from './user-memory.js';
export * from './vfio-device.js';
