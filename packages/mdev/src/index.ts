export * from './mdev-bus.js';
export * from './mdev-device.js';
export * from './mdev-driver.js';
export * from './mdev-parent.js';
export * from './mdev-type.js';
export * from './uuid.js';
