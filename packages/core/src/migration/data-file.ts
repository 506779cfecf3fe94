import {
  copyIn,
  EFAULT,
  EINVAL,
  ENODEV,
  ENOMSG,
  ENOTTY,
  ESPIPE,
  type IoctlArgument,
  type MigrationFile,
  VFIO_MIG_GET_PRECOPY_INFO,
} from '@vfiokit/uapi';
import type { MigrationState, MigrationStream } from '../extension.js';

const PRECOPY_INFO_SIZE = 24;
const PRECOPY_INFO_REINIT = 1;

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
    return count === 0 && into.length > 0 && this.#copiesWhileRunning() ? -ENOMSG : count;
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
    const info = this.#copiesWhileRunning() ? this.stream.precopyInfo?.() : undefined;
    const empty = info !== undefined && info.initialBytes === 0n && info.dirtyBytes === 0n;
    return {
      readable: this.stream.read !== undefined && (this.stream.ready?.() ?? true) && !empty,
      writable: this.stream.write !== undefined && (this.stream.ready?.() ?? true),
    };
  }

  /** VFIO_MIG_GET_PRECOPY_INFO (vfio.h: vfio_check_precopy_ioctl): `-EINVAL` unless the device copies while it runs. */
  ioctl(command: number, argument: IoctlArgument): number {
    if (command !== VFIO_MIG_GET_PRECOPY_INFO) return -ENOTTY;
    const info = copyIn(argument, PRECOPY_INFO_SIZE);
    if (info === undefined) return -EFAULT;
    if (info.getUint32(0, true) < PRECOPY_INFO_SIZE) return -EINVAL;
    if (this.#ended) return -ENODEV;
    if (!this.#copiesWhileRunning() || this.stream.precopyInfo === undefined) return -EINVAL;
    const { initialBytes, dirtyBytes, reinit } = this.stream.precopyInfo();
    if (this.owner.precopyInfoV2) info.setUint32(4, reinit ? PRECOPY_INFO_REINIT : 0, true);
    info.setBigUint64(8, initialBytes, true);
    info.setBigUint64(16, dirtyBytes, true);
    return 0;
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
