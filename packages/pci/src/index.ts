export * from './class-names.js';
export * from './host/index.js';
export * from './modalias.js';
export * from './pci-address.js';
export * from './readers/index.js';
export * from './regs/index.js';
export * from './silicon/index.js';
