import { EOPNOTSUPP, type Process, type VfioFile } from '@vfiokit/uapi';
import type { EmulatedDma } from '../container/emulated-dma.js';
import type { GroupDevice } from '../group/group-device.js';
import type { VfioGroup } from '../group/vfio-group.js';

/** An open `/dev/iommu`. */
export class Iommufd implements VfioFile {
  readonly kind = 'iommufd';

  setNoiommu(): number {
    return -EOPNOTSUPP;
  }

  ensureCompatIoas(_caller: Process): number {
    return -EOPNOTSUPP;
  }

  bindGroupDevice(_device: GroupDevice, _group: VfioGroup, _opener: Process): number {
    return -EOPNOTSUPP;
  }

  unbindDevice(_device: GroupDevice): void {}

  pagesOf(_device: GroupDevice): EmulatedDma | undefined {
    return undefined;
  }

  close(): void {}
}
