export * from './lspci.js';
export * from './sysfs-config.js';
export * from './sysfs-resource.js';
