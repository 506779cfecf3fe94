import 'reflect-metadata';

export { hisiAccDriver } from './hisi/hisi-driver.js';
export { HisiQm, type HisiVf } from './hisi/hisi-qm.js';
export { ISM_OFFSET_SHIFT, ismDriver } from './ism/ism-driver.js';
export type { IsmInstructions } from './ism/ism-platform.js';
export { PDS_LM_CMD, type PdsCommand, PdsCore, type PdsResult } from './pds/pds-core.js';
export { pdsDriver } from './pds/pds-driver.js';
export { QAT_VFIO_PCI } from './qat/qat-driver.js';
export { QAT_STATE_SIZE, type QatMigDevice, QatPf } from './qat/qat-pf.js';
export { registerVariantsMore, type VariantsMoreOptions } from './register.js';
export type { Sleep } from './sleep.js';
export { XE_VFIO_PCI } from './xe/xe-driver.js';
export { XePf } from './xe/xe-pf.js';
