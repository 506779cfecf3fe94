import {
  type AccessSize,
  copyArgszIn,
  copySizedIn,
  copyStructOut,
  type DeviceMapping,
  EBADF,
  EBADFD,
  EBUSY,
  EFAULT,
  EINVAL,
  EOPNOTSUPP,
  type FaultingBuffer,
  type IoctlArgument,
  type MmapRequest,
  type Process,
  VFIO_DEVICE_ATTACH_IOMMUFD_PT,
  VFIO_DEVICE_ATTACH_PASID,
  VFIO_DEVICE_BIND_FLAG_TOKEN,
  VFIO_DEVICE_BIND_IOMMUFD,
  VFIO_DEVICE_DETACH_IOMMUFD_PT,
  VFIO_DEVICE_DETACH_PASID,
  type VfioDevice,
  type VfioDeviceBindIommufd,
  VfioError,
  vfioDeviceAttachIommufdPt,
  vfioDeviceBindIommufd,
  vfioDeviceDetachIommufdPt,
} from '@vfiokit/uapi';
import type { EmulatedDma } from '../container/emulated-dma.js';
import { Iommufd } from '../iommufd/iommufd.js';
import type { DeviceDoor, GroupDevice } from './group-device.js';
import type { VfioGroup } from './vfio-group.js';

const TOKEN_SIZE = 16;

/** `/dev/vfio/devices/vfioN`: a device's own node (device_cdev.c). Opening it takes nothing; binding it does. */
export class DeviceNode {
  constructor(
    /** The N of its name. */
    readonly index: number,
    readonly device: GroupDevice,
    readonly group: VfioGroup,
  ) {}

  get name(): string {
    return `vfio${this.index}`;
  }

  /** open(2); any number of times. */
  open(): DeviceNodeFile {
    return new DeviceNodeFile(this);
  }
}

/** Opening a device through its own node: the iommufd that it is bound to protects memory. */
class CdevDoor implements DeviceDoor {
  readonly kind = 'cdev';

  constructor(
    private readonly file: DeviceNodeFile,
    private readonly device: GroupDevice,
    private readonly iommufd: Iommufd,
  ) {}

  get kvm(): object | undefined {
    return this.file.kvm;
  }

  get pages(): EmulatedDma | undefined {
    return this.iommufd.pagesOf(this.device);
  }

  bind(device: GroupDevice): number {
    return Math.min(0, this.iommufd.bind(device));
  }

  unbind(device: GroupDevice): void {
    this.iommufd.unbindDevice(device);
  }

  devid(device: GroupDevice): number | undefined {
    return this.iommufd.devid(device);
  }

  sharesGroup(device: GroupDevice): boolean {
    return this.iommufd.sharesGroup(device);
  }
}

/** An open device node. Until it is bound to an iommufd, every other call is `-EINVAL`. */
export class DeviceNodeFile implements VfioDevice {
  readonly kind = 'device';
  /** The virtual machine that user space has tied it to. */
  kvm: object | undefined;
  #device: VfioDevice | undefined;
  #iommufd: Iommufd | undefined;

  constructor(readonly node: DeviceNode) {}

  get name(): string {
    return this.node.device.name;
  }

  /** The iommufd that it is bound to. */
  get iommufd(): Iommufd | undefined {
    return this.#iommufd;
  }

  ioctl(command: number, argument: IoctlArgument, caller: Process): number {
    if (command === VFIO_DEVICE_BIND_IOMMUFD) return this.#bindIoctl(argument, caller);
    if (this.#device === undefined) return -EINVAL;
    if (command === VFIO_DEVICE_ATTACH_IOMMUFD_PT) return this.#attachIoctl(argument);
    if (command === VFIO_DEVICE_DETACH_IOMMUFD_PT) return this.#detachIoctl(argument);
    return this.#device.ioctl(command, argument, caller);
  }

  /**
   * VFIO_DEVICE_BIND_IOMMUFD: opens the device.
   *
   * @returns the device's number in the iommufd; `-EBUSY` (the group file is open), `-EINVAL` (bound, or open
   * elsewhere), and what the iommufd or the device refuse with.
   */
  bind(iommufd: Iommufd): number {
    const { device, group } = this.node;
    if (this.#device) return -EINVAL;
    const blocked = group.blockGroup();
    if (blocked !== 0) return blocked;
    try {
      this.#device = device.open(new CdevDoor(this, device, iommufd));
    } catch (error) {
      group.unblockGroup();
      if (error instanceof VfioError) return error.errno;
      throw error;
    }
    this.#iommufd = iommufd;
    return iommufd.devid(device) ?? -EINVAL;
  }

  read(region: number, offset: number, size: AccessSize): number {
    return this.#device?.read(region, offset, size) ?? -EINVAL;
  }

  write(region: number, offset: number, size: AccessSize, value: number): number {
    return this.#device?.write(region, offset, size, value) ?? -EINVAL;
  }

  pread(into: Uint8Array | FaultingBuffer, position: number): number {
    return this.#device?.pread(into, position) ?? -EINVAL;
  }

  pwrite(from: Uint8Array | FaultingBuffer, position: number): number {
    return this.#device?.pwrite(from, position) ?? -EINVAL;
  }

  mmap(request: MmapRequest): DeviceMapping | number {
    return this.#device?.mmap(request) ?? -EINVAL;
  }

  close(): void {
    if (this.#device === undefined) return;
    this.#device.close();
    this.#device = undefined;
    this.#iommufd = undefined;
    this.node.group.unblockGroup();
  }

  #bindIoctl(argument: IoctlArgument, caller: Process): number {
    const bind = copySizedIn(argument, vfioDeviceBindIommufd, vfioDeviceBindIommufd.ends.outDevid);
    if (typeof bind === 'number') return bind;
    if (bind.iommufd < 0 || bind.flags & ~VFIO_DEVICE_BIND_FLAG_TOKEN) return -EINVAL;
    if (this.node.group.opened) return -EBUSY;
    if (this.#device) return -EINVAL;
    const token = this.#token(bind, caller);
    if (token !== 0) return token;
    const file = caller.fds.get(bind.iommufd);
    if (file === undefined) return -EBADF;
    if (!(file instanceof Iommufd)) return -EBADFD;
    const devid = this.bind(file);
    if (devid < 0) return devid;
    return copyStructOut(argument, vfioDeviceBindIommufd, { outDevid: devid }, bind.argsz);
  }

  #token({ flags, tokenUuidPtr }: VfioDeviceBindIommufd, caller: Process): number {
    const { device } = this.node;
    const given = (flags & VFIO_DEVICE_BIND_FLAG_TOKEN) !== 0;
    if (device.matchToken === undefined) return given ? -EINVAL : 0;
    if (!given) return device.matchToken(undefined);
    const token = caller.memory.read(Number(tokenUuidPtr), TOKEN_SIZE);
    return token === undefined ? -EFAULT : device.matchToken(token);
  }

  #attachIoctl(argument: IoctlArgument): number {
    const layout = vfioDeviceAttachIommufdPt;
    const attach = copyArgszIn(argument, layout, layout.ends.ptId);
    if (typeof attach === 'number') return attach;
    const { argsz, flags, ptId } = attach;
    const pasid = this.#pasid(argument, argsz, flags, VFIO_DEVICE_ATTACH_PASID, layout);
    if (pasid !== undefined && pasid < 0) return pasid;
    const id = this.#iommufd!.attach(this.node.device, ptId, pasid);
    return id < 0 ? id : copyStructOut(argument, layout, { ptId: id }, layout.ends.ptId);
  }

  #detachIoctl(argument: IoctlArgument): number {
    const layout = vfioDeviceDetachIommufdPt;
    const detach = copyArgszIn(argument, layout, layout.ends.flags);
    if (typeof detach === 'number') return detach;
    const { argsz, flags } = detach;
    const pasid = this.#pasid(argument, argsz, flags, VFIO_DEVICE_DETACH_PASID, layout);
    if (pasid !== undefined && pasid < 0) return pasid;
    this.#iommufd!.detach(this.node.device, pasid);
    return 0;
  }

  /** The PASID that a call is for; `undefined` for the device's plain requests; a negated errno. */
  #pasid(
    argument: IoctlArgument,
    argsz: number,
    flags: number,
    flag: number,
    layout: typeof vfioDeviceAttachIommufdPt | typeof vfioDeviceDetachIommufdPt,
  ): number | undefined {
    if (flags & ~flag) return -EINVAL;
    if (!(flags & flag)) return undefined;
    if (!this.node.device.supportsPasid) return -EOPNOTSUPP;
    if (argsz < layout.size) return -EINVAL;
    return argument instanceof Uint8Array ? layout.decode(argument).pasid : -EFAULT;
  }
}
