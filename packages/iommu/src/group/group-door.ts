import {
  EINVAL,
  EPERM,
  type IoctlArgument,
  type Process,
  VFIO_DEVICE_BIND_IOMMUFD,
} from '@vfiokit/uapi';
import type { EmulatedDma } from '../container/emulated-dma.js';
import type { DeviceDoor, GroupDevice } from './group-device.js';
import type { VfioGroup } from './vfio-group.js';

/** Opening a device through its group: the container, or the iommufd behind the group, protects memory (group.c: vfio_df_group_open). */
export class GroupDoor implements DeviceDoor {
  readonly kind = 'group';
  constructor(
    private readonly group: VfioGroup,
    private readonly device: GroupDevice,
    private readonly opener: Process,
  ) {}

  get kvm(): object | undefined {
    return this.group.kvm;
  }

  get pages(): EmulatedDma | undefined {
    const iommufd = this.group.iommufdOf(this.device);
    if (iommufd) return iommufd.pagesOf(this.device);
    return this.group.container?.iommu?.pagesOf?.(this.group);
  }

  bind(device: GroupDevice): number {
    const { group } = this;
    const result = group.iommufd
      ? group.iommufd.bindGroupDevice(device, group, this.opener)
      : this.#useContainer(device);
    if (result === 0) group.deviceOpened(device);
    return result;
  }

  unbind(device: GroupDevice): void {
    this.group.container?.iommu?.unregisterDevice?.(device);
    this.group.iommufdOf(device)?.unbindDevice(device);
    this.group.deviceClosed(device);
  }

  ioctl(command: number, _argument: IoctlArgument, _caller: Process): number | undefined {
    return command === VFIO_DEVICE_BIND_IOMMUFD && this.group.deviceCdev ? -EINVAL : undefined;
  }

  /** group.c: vfio_device_group_use_iommu */
  #useContainer(device: GroupDevice): number {
    const iommu = this.group.container?.iommu;
    if (iommu === undefined) return -EINVAL;
    if (this.group.kind === 'noiommu' && !this.opener.credentials.sysRawio) return -EPERM;
    iommu.registerDevice?.(device);
    return 0;
  }
}
