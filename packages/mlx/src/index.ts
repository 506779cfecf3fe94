import 'reflect-metadata';

export * from './auxiliary/aux-devices.js';
export { Mlx5Snap2021, publishEmulated } from './auxiliary/snap-2021.js';
export { Mlx5Subfunctions } from './auxiliary/subfunctions.js';
export { type BitField, bitLayout, type FieldValues } from './bit-fields.js';
export * from './command-interface.js';
export * from './commands.js';
export { FakeFirmware } from './firmware/fake-firmware.js';
export { FakeVhca, type FakeVhcaOptions, type VhcaWires } from './firmware/fake-vhca.js';
export { ByteMemory, type VhcaMemory } from './firmware/vhca-image.js';
export { Mlx5Migration, type Mlx5MigrationOptions } from './migration/mlx5-migration.js';
export { TAG_FW_DATA, TAG_STOP_COPY_SIZE } from './migration/stream-format.js';
export { type ImageSizes, Vhca } from './migration/vhca.js';
export * from './mlx5-core.js';
export { MLX5_VFIO_PCI } from './mlx5-driver.js';
export * from './page-tracker/layout.js';
export { PageTracker } from './page-tracker/page-tracker.js';
export { registerMlx } from './register.js';
