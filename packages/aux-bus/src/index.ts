export * from './auxiliary-bus.js';
export * from './auxiliary-device.js';
export * from './pairing.js';
