import {
  copyArgszIn,
  copyIn,
  copyStructOut,
  EBADF,
  EFAULT,
  EINVAL,
  ENOTTY,
  type IoctlArgument,
  type Process,
  VFIO_GROUP_GET_DEVICE_FD,
  VFIO_GROUP_GET_STATUS,
  VFIO_GROUP_SET_CONTAINER,
  VFIO_GROUP_UNSET_CONTAINER,
  type VfioDevice,
  VfioError,
  type VfioFile,
  vfioGroupStatus,
} from '@vfiokit/uapi';
import type { GroupDevice } from './group-device.js';
import { GroupDoor } from './group-door.js';
import type { VfioGroup } from './vfio-group.js';

/** Longest name that is looked at: a page. */
const NAME_MAX = 4096;

/** An open `/dev/vfio/N` (group.c: vfio_group_fops). Devices that were opened through it keep it open. */
export class GroupFile implements VfioFile {
  readonly kind = 'group';
  /** The descriptors, as one, and each open device. */
  #references = 1;

  constructor(readonly group: VfioGroup) {}

  ioctl(command: number, argument: IoctlArgument, caller: Process): number {
    switch (command) {
      case VFIO_GROUP_GET_STATUS:
        return this.#getStatus(argument);
      case VFIO_GROUP_SET_CONTAINER:
        return this.#setContainer(argument, caller);
      case VFIO_GROUP_UNSET_CONTAINER:
        return this.group.unsetContainer();
      case VFIO_GROUP_GET_DEVICE_FD:
        return this.#getDeviceFd(argument, caller);
      default:
        return -ENOTTY;
    }
  }

  /**
   * Opens a device of the group, as VFIO_GROUP_GET_DEVICE_FD does, without giving it a descriptor.
   *
   * @param name what the ioctl's text would be: the device's name, and for PCI perhaps ` vf_token=…`.
   * @throws VfioError ENODEV (not in the group), EINVAL (no container, or none with an IOMMU), EACCES (a token is
   * missing), and whatever the device fails to open with.
   */
  getDevice(name: string, process: Process): VfioDevice {
    const { group } = this;
    const device = group.find(name);
    if (typeof device === 'number')
      throw VfioError.fromErrno(
        device,
        `${name}: group ${group.id} has no such device, or its token is wrong`,
      );
    if (group.container === undefined && group.iommufd === undefined)
      throw VfioError.fromErrno(
        -EINVAL,
        `${name}: group ${group.id} has no container; set one first`,
      );
    return device.open(new GroupDoor(group, device, process));
  }

  /** Whether a device is in this group: what a hot reset wants to be sure of. */
  holds(device: GroupDevice): boolean {
    return this.group.devices.includes(device);
  }

  /** Another reference. */
  get(): void {
    this.#references += 1;
  }

  /** A reference is dropped; the last one closes the group. */
  put(): void {
    this.#references -= 1;
    if (this.#references === 0) this.group.closed();
  }

  /** The last descriptor is closed; open devices keep the group as it is. */
  close(): void {
    this.put();
  }

  #getStatus(argument: IoctlArgument): number {
    const status = copyArgszIn(argument, vfioGroupStatus);
    if (typeof status === 'number') return status;
    const flags = this.group.status();
    return flags < 0 ? flags : copyStructOut(argument, vfioGroupStatus, { flags });
  }

  #setContainer(argument: IoctlArgument, caller: Process): number {
    const view = copyIn(argument, 4);
    if (view === undefined) return -EFAULT;
    const file = caller.fds.get(view.getInt32(0, true));
    return file === undefined ? -EBADF : this.group.setContainer(file, caller);
  }

  #getDeviceFd(argument: IoctlArgument, caller: Process): number {
    if (!(argument instanceof Uint8Array)) return -EFAULT;
    const end = argument.indexOf(0);
    if (end === -1 || end > NAME_MAX) return argument.length > NAME_MAX ? -EINVAL : -EFAULT;
    const name = new TextDecoder('latin1').decode(argument.subarray(0, end));
    try {
      const device = this.getDevice(name, caller);
      const fd = caller.fds.install(device);
      if (fd < 0) device.close();
      return fd;
    } catch (error) {
      if (error instanceof VfioError) return error.errno;
      throw error;
    }
  }
}
