import type { Blocking } from '@vfiokit/driver-model';
import { EINVAL, type IoctlArgument, type Process, VfioError, type VfioFile } from '@vfiokit/uapi';
import type { KernelClock } from '../kernel-clock.js';
import type { Kvm } from '../kvm/kvm.js';
import { VfioDeviceFile } from './device-file.js';

/** What a driver does behind an emulated VFIO device (struct vfio_device_ops). */
export interface EmulatedDeviceOps {
  /** First open. @throws VfioError with the errno that opening fails with. */
  open(kvm: Kvm | undefined): void;
  /** Last close. */
  close(): void;
  /** The association with a machine changed while the device is open. */
  kvmChanged(kvm: Kvm | undefined): void;
  /** The device is wanted back, for the `count`th time. */
  request(count: number): void;
  /** A range of the user's mapping goes. */
  dmaUnmap(iova: number, size: number): void;
  /** @returns 0 or more, or a negated errno. */
  ioctl(command: number, argument: IoctlArgument, caller: Process): number;
}

/** Milliseconds between two requests to let a device go. */
const REQUEST_INTERVAL = 10_000;

/**
 * A VFIO device without hardware DMA of its own, in a group of its own (vfio_register_emulated_iommu_dev): who may open
 * it by which of its two doors, and how it goes away while open.
 */
export class EmulatedDevice {
  /** The file by which it is open. */
  #opener: Door | undefined;
  #group: GroupFile | undefined;
  #openCount = 0;
  #going = false;
  #whenClosed: (() => void) | undefined;

  constructor(
    readonly name: string,
    readonly ops: EmulatedDeviceOps,
    private readonly clock: KernelClock,
  ) {}

  get openCount(): number {
    return this.#openCount;
  }

  /**
   * Opens the group file, `/dev/vfio/N`.
   *
   * @throws VfioError `EBUSY` if it is open, or the device is open by its character device; `ENODEV` while it goes away.
   */
  openGroup(): GroupFile {
    this.#checkPresent();
    if (this.#group !== undefined)
      throw new VfioError('EBUSY', `${this.name}: the group file is open; it is for one opener`);
    if (this.#opener instanceof CdevFile)
      throw new VfioError('EBUSY', `${this.name}: open by its character device`);
    this.#group = new GroupFile(this);
    return this.#group;
  }

  /** Opens the character device, `/dev/vfio/devices/vfioN`. @throws VfioError `ENODEV` while it goes away. */
  openCdev(): CdevFile {
    this.#checkPresent();
    return new CdevFile(this);
  }

  /** For its files: opens the device, for the first or one more time. @throws VfioError */
  open(by: Door): void {
    this.#checkPresent();
    if (by instanceof CdevFile) {
      if (this.#opener instanceof CdevFile)
        throw new VfioError('EINVAL', `${this.name}: bound already`);
      if (this.#opener !== undefined || this.#group !== undefined)
        throw new VfioError('EBUSY', `${this.name}: open by its group file`);
    }
    if (this.#openCount === 0) this.ops.open(by.kvm);
    this.#openCount += 1;
    this.#opener = by;
  }

  /** For its files: the opposite. */
  close(): void {
    this.#openCount -= 1;
    if (this.#openCount > 0) return;
    this.ops.close();
    this.#opener = undefined;
    this.#whenClosed?.();
  }

  /** For its files: the group file is closed. */
  groupClosed(): void {
    this.#group = undefined;
  }

  /** For its files: a machine came or went. */
  kvmChanged(by: Door): void {
    if (this.#opener === by) this.ops.kvmChanged(by.kvm);
  }

  /** User space takes a range out of what it has mapped for the device. */
  dmaUnmap(iova: number, size: number): void {
    if (this.#openCount > 0) this.ops.dmaUnmap(iova, size);
  }

  /**
   * Takes the device away. While it is open its user is asked to let go, now and every ten seconds, and this blocks.
   *
   * @param closed called as soon as nobody has it open any more.
   */
  unregister(closed: () => void): Blocking<void> {
    this.#going = true;
    if (this.#openCount === 0) {
      closed();
      return;
    }
    return new Promise((resolve) => {
      let cancel = (): void => {};
      this.#whenClosed = () => {
        cancel();
        closed();
        resolve();
      };
      const ask = (count: number): void => {
        cancel = this.clock.workAfter(REQUEST_INTERVAL, () => ask(count + 1));
        this.ops.request(count);
      };
      ask(0);
    });
  }

  #checkPresent(): void {
    if (this.#going) throw new VfioError('ENODEV', `${this.name}: the device is going away`);
  }
}

/** A file that a machine can be associated with. */
export interface KvmAwareFile extends VfioFile {
  readonly kvm: Kvm | undefined;
  /** The machine that uses what the file opens, from now on (vfio_file_set_kvm). */
  setKvm(kvm: Kvm | undefined): void;
}

/** What both doors have: the machine that uses what they open. */
abstract class Door implements KvmAwareFile {
  abstract readonly kind: 'group' | 'device';
  #kvm: Kvm | undefined;

  constructor(protected readonly device: EmulatedDevice) {}

  get kvm(): Kvm | undefined {
    return this.#kvm;
  }

  setKvm(kvm: Kvm | undefined): void {
    this.#kvm = kvm;
    this.device.kvmChanged(this);
  }

  abstract close(): void;

  /** Opens the device, for the first or one more time. @throws VfioError */
  protected open(): VfioDeviceFile {
    this.device.open(this);
    return new VfioDeviceFile(this.device.name, this.device.ops, () => this.device.close());
  }
}

/** An open group file. Its device is open as long as a device file of it is, whether the group file is closed or not. */
export class GroupFile extends Door {
  readonly kind = 'group';

  /** VFIO_GROUP_GET_DEVICE_FD: opens the device. @throws VfioError */
  openDevice(): VfioDeviceFile {
    return this.open();
  }

  close(): void {
    this.device.groupClosed();
  }
}

/** An open character device: no access before it is bound to an iommufd. */
export class CdevFile extends Door {
  readonly kind = 'device';
  #bound: VfioDeviceFile | undefined;

  /** VFIO_DEVICE_BIND_IOMMUFD: opens the device. @throws VfioError `EINVAL` if it is bound, `EBUSY` if open by its group. */
  bind(): VfioDeviceFile {
    this.#bound = this.open();
    return this.#bound;
  }

  ioctl(command: number, argument: IoctlArgument, caller: Process): number {
    return this.#bound?.ioctl(command, argument, caller) ?? -EINVAL;
  }

  close(): void {
    this.#bound?.close();
    this.#bound = undefined;
  }
}
