import type {
  DeviceOverride,
  DeviceRegionProvider,
  DmaBufProvider,
  OpenHook,
} from './extension.js';

/** What a device's container holds for an open. */
export interface Extensions {
  readonly openHooks: readonly OpenHook[];
  readonly regions: readonly DeviceRegionProvider[];
  readonly overrides: readonly DeviceOverride[];
  readonly dmaBuf: DmaBufProvider | undefined;
}
