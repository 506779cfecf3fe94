export { DEVICE, VENDOR } from './ids.js';
export { AT, toyMachine } from './machine.js';
export { main } from './main.js';
export { registerToy, toyVariant } from './register.js';
export { REVISION_OVERRIDE } from './revision.js';
export { SCRATCH_SIZE, scratchRegion } from './scratch-region.js';
export { TOY_VFIO_PCI } from './toy-driver.js';
