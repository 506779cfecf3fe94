export * from './capabilities.js';
export * from './capability-ids.js';
export * from './extended-capabilities.js';
export * from './header.js';
export * from './power-states.js';
