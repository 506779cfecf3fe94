export * from './host/index.js';
export * from './modalias.js';
export * from './pci-address.js';
export * from './regs/index.js';
export * from './silicon/index.js';
