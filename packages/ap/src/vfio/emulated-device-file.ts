import type { DeviceDoor } from '@vfiokit/iommu';
import { EINVAL, type IoctlArgument, type Process, type VfioDevice } from '@vfiokit/uapi';
import type { EmulatedDeviceOps } from './emulated-device.js';

/** An open emulated device. It has no regions: there is nothing to read, write or map, only calls. */
export class EmulatedDeviceFile implements VfioDevice {
  readonly kind = 'device';
  #open = true;

  constructor(
    readonly name: string,
    private readonly ops: EmulatedDeviceOps,
    private readonly door: DeviceDoor,
    private readonly onClose: () => void,
  ) {}

  read(): number {
    return -EINVAL;
  }

  write(): number {
    return -EINVAL;
  }

  pread(): number {
    return -EINVAL;
  }

  pwrite(): number {
    return -EINVAL;
  }

  mmap(): number {
    return -EINVAL;
  }

  ioctl(command: number, argument: IoctlArgument, caller: Process): number {
    if (!this.#open) return -EINVAL;
    return (
      this.door.ioctl?.(command, argument, caller) ?? this.ops.ioctl(command, argument, caller)
    );
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.onClose();
  }
}
