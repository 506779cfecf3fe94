import {
  copyArgszIn,
  copyStructOut,
  EINVAL,
  ENODEV,
  ENOMSG,
  ENOTTY,
  ESPIPE,
  type IoctlArgument,
  type MigrationFile,
  type MigrationState,
  VFIO_MIG_GET_PRECOPY_INFO,
  VFIO_PRECOPY_INFO_REINIT,
  vfioPrecopyInfo,
} from '@vfiokit/uapi';
import type { MigrationStream } from '../extension.js';

/** What the file asks of the device that it belongs to. */
export interface TransferOwner {
  readonly state: MigrationState;
  readonly precopyInfoV2: boolean;
}

/**
 * The descriptor through which a device's state leaves or enters: read while saving, written while resuming, one way
 * only and without seeking (uapi vfio.h: struct vfio_device_feature_mig_state).
 */
export class MigrationDataFile implements MigrationFile {
  readonly kind = 'migration';
  #ended = false;

  constructor(
    private readonly stream: MigrationStream,
    private readonly owner: TransferOwner,
  ) {}

  /**
   * The number of bytes; 0 at the end of a STOP_COPY transfer; `-ENOMSG` when a running device has nothing to tell now;
   * `-ENODEV` after the transfer; `-EINVAL` on the file of a resuming device.
   */
  read(into: Uint8Array): number {
    if (this.#ended) return -ENODEV;
    if (this.stream.read === undefined) return -EINVAL;
    const count = this.stream.read(into);
    const wait = count === 0 && into.length > 0 && this.#copiesWhileRunning();
    return wait && !this.stream.quietEnd ? -ENOMSG : count;
  }

  /** The number of bytes taken; `-ENODEV` after the transfer; `-EINVAL` on the file of a saving device. */
  write(from: Uint8Array): number {
    if (this.#ended) return -ENODEV;
    return this.stream.write === undefined ? -EINVAL : this.stream.write(from);
  }

  pread(): number {
    return -ESPIPE;
  }

  pwrite(): number {
    return -ESPIPE;
  }

  /** What poll(2) would say now. */
  poll(): { readable: boolean; writable: boolean } {
    if (this.#ended) return { readable: true, writable: true };
    const ready = this.stream.ready?.() ?? true;
    return {
      readable: ready && this.stream.read !== undefined,
      writable: ready && this.stream.write !== undefined,
    };
  }

  /** VFIO_MIG_GET_PRECOPY_INFO (vfio.h: vfio_check_precopy_ioctl): `-EINVAL` unless the device copies while it runs. */
  ioctl(command: number, argument: IoctlArgument): number {
    if (command !== VFIO_MIG_GET_PRECOPY_INFO) return -ENOTTY;
    const asked = copyArgszIn(argument, vfioPrecopyInfo);
    if (typeof asked === 'number') return asked;
    if (this.#ended) return -ENODEV;
    if (!this.#copiesWhileRunning() || this.stream.precopyInfo === undefined) return -EINVAL;
    const info = this.stream.precopyInfo(this.owner.precopyInfoV2);
    if (typeof info === 'number') return info;
    const { initialBytes, dirtyBytes, reinit } = info;
    // A user that did not opt in gets its own flags back.
    const flags = this.owner.precopyInfoV2
      ? { flags: reinit ? VFIO_PRECOPY_INFO_REINIT : 0 }
      : undefined;
    return copyStructOut(argument, vfioPrecopyInfo, { ...flags, initialBytes, dirtyBytes });
  }

  /** The transfer is over; later calls find no device behind the file. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.stream.end?.();
  }

  close(): void {}

  #copiesWhileRunning(): boolean {
    return this.owner.state === 'PRE_COPY' || this.owner.state === 'PRE_COPY_P2P';
  }
}
