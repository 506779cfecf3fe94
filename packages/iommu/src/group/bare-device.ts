import {
  EINVAL,
  ENOTTY,
  type IoctlArgument,
  type Process,
  type VfioDevice,
  VfioError,
} from '@vfiokit/uapi';
import type { DeviceDoor, GroupDevice } from './group-device.js';
import type { IommuGroup } from './iommu-group.js';

/** A device with a name and a group, and no region behind it: enough for whoever is interested in its DMA only. */
export class BareDevice implements GroupDevice {
  readonly goingAway = false;
  #openCount = 0;

  constructor(
    readonly name: string,
    readonly iommuGroup: IommuGroup | undefined,
  ) {}

  get openCount(): number {
    return this.#openCount;
  }

  match(text: string): number {
    return text === this.name ? 1 : 0;
  }

  /** @throws VfioError what the door refuses with; EINVAL for a second open through the device's own node. */
  open(door: DeviceDoor): VfioDevice {
    if (this.#openCount > 0 && door.kind === 'cdev')
      throw new VfioError('EINVAL', `${this.name}: it is open already`);
    const refused = this.#openCount === 0 ? door.bind(this) : 0;
    if (refused !== 0)
      throw VfioError.fromErrno(refused, `${this.name}: its ${door.kind} does not protect memory`);
    this.#openCount += 1;
    return new BareDeviceFile(this.name, door, () => {
      this.#openCount -= 1;
      if (this.#openCount === 0) door.unbind(this);
    });
  }
}

/** An open of it: every region is one that it does not have. */
class BareDeviceFile implements VfioDevice {
  readonly kind = 'device';
  #closed = false;

  constructor(
    readonly name: string,
    private readonly door: DeviceDoor,
    private readonly onClose: () => void,
  ) {}

  read = () => -EINVAL;
  write = () => -EINVAL;
  pread = () => -EINVAL;
  pwrite = () => -EINVAL;
  mmap = () => -EINVAL;

  ioctl(command: number, argument: IoctlArgument, caller: Process): number {
    return this.door.ioctl?.(command, argument, caller) ?? -ENOTTY;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.onClose();
  }
}
