import { type VfioDevice, VfioError } from '@vfiokit/uapi';
import type { GroupDevice } from './group-device.js';
import type { IommuGroup } from './iommu-group.js';

/** A device with a name and a group, and nothing behind it: enough for all that is settled before a device is opened. */
export class BareDevice implements GroupDevice {
  readonly openCount = 0;
  readonly goingAway = false;

  constructor(
    readonly name: string,
    readonly iommuGroup: IommuGroup | undefined,
  ) {}

  match(text: string): number {
    return text === this.name ? 1 : 0;
  }

  /** @throws VfioError EOPNOTSUPP, always. */
  open(): VfioDevice {
    throw new VfioError(
      'EOPNOTSUPP',
      `${this.name}: there is nothing behind it that could be opened`,
    );
  }
}
