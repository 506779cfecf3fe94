import {
  EBADFD,
  EBUSY,
  EINVAL,
  ENODEV,
  type Process,
  VFIO_GROUP_FLAGS_CONTAINER_SET,
  VFIO_GROUP_FLAGS_VIABLE,
  VfioError,
  type VfioFile,
} from '@vfiokit/uapi';
import { Container } from '../container/container.js';
import type { IommuParameters } from '../container/parameters.js';
import { Iommufd } from '../iommufd/iommufd.js';
import type { GroupDevice } from './group-device.js';
import { GroupFile } from './group-file.js';
import type { IommuGroup } from './iommu-group.js';

/**
 * Why a group exists: `iommu` for devices behind an IOMMU, `emulated` for one whose parent driver does the DMA for it,
 * `noiommu` for one behind no IOMMU at all.
 */
export type VfioGroupKind = 'iommu' | 'emulated' | 'noiommu';

/**
 * The devices of an IOMMU group that VFIO drives, as one user gets them: `/dev/vfio/N` (group.c: struct vfio_group).
 *
 * At most one file is open, and it has at most one container or iommufd.
 */
export class VfioGroup {
  readonly #devices: GroupDevice[] = [];
  #file: GroupFile | undefined;
  #container: Container | undefined;
  #iommufd: Iommufd | undefined;
  /** Devices that are open through the group file, and the iommufd that each is bound to. */
  readonly #open = new Map<GroupDevice, Iommufd | undefined>();
  /** Devices that are bound through their own nodes, or about to be. */
  #cdevCount = 0;
  #gone = false;
  /** The virtual machine that the user has tied the group to. */
  kvm: object | undefined;

  constructor(
    readonly iommuGroup: IommuGroup,
    readonly kind: VfioGroupKind,
    private readonly parameters: IommuParameters,
  ) {}

  /** Its devices have nodes of their own as well. */
  get deviceCdev(): boolean {
    return this.parameters.deviceCdev && this.kind !== 'noiommu';
  }

  get id(): number {
    return this.iommuGroup.id;
  }

  /** The name of its node in /dev/vfio. */
  get nodeName(): string {
    return this.kind === 'noiommu' ? `noiommu-${this.id}` : `${this.id}`;
  }

  get devices(): readonly GroupDevice[] {
    return this.#devices;
  }

  get container(): Container | undefined {
    return this.#container;
  }

  get iommufd(): Iommufd | undefined {
    return this.#iommufd;
  }

  /** The group file is open. */
  get opened(): boolean {
    return this.#file !== undefined;
  }

  /** The last VFIO driver has left: only files that were open are left of it. */
  get gone(): boolean {
    return this.#gone;
  }

  add(device: GroupDevice): void {
    this.#devices.push(device);
  }

  /** Takes a device out; with the last one the group is gone, and leaves its container. */
  remove(device: GroupDevice): void {
    const index = this.#devices.indexOf(device);
    if (index !== -1) this.#devices.splice(index, 1);
    if (this.#devices.length > 0) return;
    this.#container?.detach(this);
    this.#container = undefined;
    this.#gone = true;
  }

  /**
   * open(2) of the node (group.c: vfio_group_fops_open).
   *
   * @throws VfioError ENODEV (its drivers have left), EPERM (noiommu without CAP_SYS_RAWIO), EBUSY (open already, by
   * whomever, or one of its devices is in use through its own node).
   */
  open(process: Process): GroupFile {
    const subject = `/dev/vfio/${this.nodeName}`;
    if (this.#gone)
      throw new VfioError('ENODEV', `${subject}: the last device of the group has been unbound`);
    if (this.kind === 'noiommu' && !process.credentials.sysRawio)
      throw new VfioError(
        'EPERM',
        `${subject}: a group without an IOMMU needs CAP_SYS_RAWIO to be opened`,
      );
    if (this.#cdevCount > 0)
      throw new VfioError(
        'EBUSY',
        `${subject}: a device of the group is in use through /dev/vfio/devices; close that first`,
      );
    if (this.#file)
      throw new VfioError(
        'EBUSY',
        `${subject}: it is open; share that file rather than opening it again`,
      );
    this.#file = new GroupFile(this);
    return this.#file;
  }

  /** The last reference to the file has gone (group.c: vfio_group_fops_release). */
  closed(): void {
    this.#container?.detach(this);
    this.#container = undefined;
    this.#iommufd?.put();
    this.#iommufd = undefined;
    this.#file = undefined;
  }

  /** VFIO_GROUP_GET_STATUS: its flags, or `-ENODEV`. */
  status(): number {
    if (this.#gone) return -ENODEV;
    if (this.#container || this.#iommufd)
      return VFIO_GROUP_FLAGS_VIABLE | VFIO_GROUP_FLAGS_CONTAINER_SET;
    return this.iommuGroup.ownerClaimed ? 0 : VFIO_GROUP_FLAGS_VIABLE;
  }

  /** VFIO_GROUP_SET_CONTAINER: 0 or a negated errno (group.c: vfio_group_ioctl_set_container). */
  setContainer(file: VfioFile, caller: Process): number {
    if (this.#container || this.#iommufd) return -EINVAL;
    if (this.#gone) return -ENODEV;
    if (file instanceof Container) {
      const result = file.attach(this, caller);
      if (result === 0) this.#container = file;
      return result;
    }
    if (file instanceof Iommufd) {
      const result = this.kind === 'noiommu' ? file.setNoiommu() : file.ensureCompatIoas();
      if (result === 0) {
        file.get();
        this.#iommufd = file;
      }
      return result;
    }
    return -EBADFD;
  }

  /** VFIO_GROUP_UNSET_CONTAINER. An iommufd is dropped even while devices are open, as the kernel does. */
  unsetContainer(): number {
    if (this.#iommufd) {
      const { iommufdUnsetIgnoresOpenDevices } = this.parameters.quirks;
      if (this.#open.size > 0 && !iommufdUnsetIgnoresOpenDevices) return -EBUSY;
      this.#iommufd.put();
      this.#iommufd = undefined;
      return 0;
    }
    if (this.#container === undefined) return -EINVAL;
    if (this.#open.size > 0) return -EBUSY;
    this.#container.detach(this);
    this.#container = undefined;
    return 0;
  }

  /** The device that a text means: it, or a negated errno. */
  find(text: string): GroupDevice | number {
    for (const device of this.#devices) {
      if (device.goingAway) continue;
      const match = device.match(text);
      if (match < 0) return match;
      if (match > 0) return device;
    }
    return -ENODEV;
  }

  /** A device was opened through the file: it keeps the file open. */
  deviceOpened(device: GroupDevice): void {
    this.#open.set(device, this.#iommufd);
    this.#file?.get();
  }

  deviceClosed(device: GroupDevice): void {
    this.#open.delete(device);
    this.#file?.put();
  }

  /** The iommufd that an open device is bound to, even if the group has let go of it. */
  iommufdOf(device: GroupDevice): Iommufd | undefined {
    return this.#open.get(device);
  }

  /** A device of it is about to be bound through its own node: 0, or `-EBUSY` while the group file is open. */
  blockGroup(): number {
    if (this.#file) return -EBUSY;
    this.#cdevCount += 1;
    return 0;
  }

  unblockGroup(): void {
    this.#cdevCount -= 1;
  }
}
