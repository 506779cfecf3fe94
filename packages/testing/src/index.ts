export {
  buildConfig,
  type ConfigLiteral,
  type ExtendedCapabilityLiteral,
} from './build-config.js';
export {
  type ContractCases,
  type Declines,
  describeContract,
  type Skip,
} from './contracts/contract.js';
export { type DirtyLogSubject, describeDirtyLog } from './contracts/dirty-log.js';
export { type DriverSubject, describeDriver } from './contracts/driver.js';
export { describeIommuBackend, type IommuBackendSubject } from './contracts/iommu-backend.js';
export { describeMigration, type MigrationSubject } from './contracts/migration.js';
export { describeOpenHook, type OpenHookSubject } from './contracts/open-hook.js';
export { describeOverride, type OverrideSubject } from './contracts/override.js';
export { describePlatformHook, type PlatformHookSubject } from './contracts/platform-hook.js';
export { describeRegionOps, type RegionOpsSubject } from './contracts/region-ops.js';
export { describeResetHooks, type ResetHooksSubject } from './contracts/reset-hooks.js';
export { describeUsageModel } from './contracts/usage-model.js';
export { StoredConfig } from './stored-config.js';
export { StubOpening } from './stub-opening.js';
export { StubRegion } from './stub-region.js';
export { TracedConfig } from './traced-config.js';
