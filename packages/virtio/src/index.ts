import 'reflect-metadata';

export * from './admin-commands.js';
export {
  type DevPart,
  encodeParts,
  FakeMember,
  FakeVirtioPf,
  type FakeVirtioPfOptions,
} from './fake-virtio-pf.js';
export { LEGACY_BAR0_SIZE, LegacyBar0, type LegacyBar0Options } from './legacy-bar0.js';
export { LegacyRegisters } from './legacy-registers.js';
export { registerVirtio, type VirtioOptions } from './register.js';
export { DevicePartsLoader } from './resuming.js';
export { DevicePartsSaver, TAG_DEVICE_PARTS } from './saving.js';
export { virtioVariant } from './variant.js';
export { TransitionalDevice, virtioDriver } from './virtio-driver.js';
export { VirtioMigration } from './virtio-migration.js';
export {
  AdminMember,
  adminMember,
  devPartsObject,
  type NotifyAddress,
  VirtioPci,
} from './virtio-pci.js';
