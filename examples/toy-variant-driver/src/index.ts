export { main } from './main.js';
export { registerToy } from './register.js';
export { REVISION_OVERRIDE } from './revision.js';
export { SCRATCH_SIZE, scratchRegion } from './scratch-region.js';
export { TOY_VFIO_PCI } from './toy-driver.js';
