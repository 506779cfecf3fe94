import type { Blocking } from '@vfiokit/driver-model';
import type { DeviceDoor, GroupDevice, VfioGroups } from '@vfiokit/iommu';
import { type IoctlArgument, type Process, VfioError } from '@vfiokit/uapi';
import type { KernelClock } from '../kernel-clock.js';
import { Kvm } from '../kvm/kvm.js';
import { EmulatedDeviceFile } from './emulated-device-file.js';
import { PagePins } from './page-pins.js';

/** What a driver does behind an emulated VFIO device (struct vfio_device_ops). */
export interface EmulatedDeviceOps {
  /**
   * First open.
   *
   * @param pins pins pages of the user's storage, until the last close.
   * @throws VfioError with the errno that opening fails with.
   */
  open(kvm: Kvm | undefined, pins: PagePins): void;
  /** Last close. */
  close(): void;
  /** The machine that the user has tied the device to is another, or none, while the device is open. */
  kvmChanged(kvm: Kvm | undefined): void;
  /** The device is wanted back, for the `count`th time. */
  request(count: number): void;
  /** A range of the user's mapping goes, in which something is pinned. */
  dmaUnmap(iova: number, size: number): void;
  /** @returns 0 or more, or a negated errno. */
  ioctl(command: number, argument: IoctlArgument, caller: Process): number;
}

/** Milliseconds between two requests to let a device go. */
const REQUEST_INTERVAL = 10_000;

/**
 * A VFIO device without hardware DMA, in a group of its own (vfio_register_emulated_iommu_dev): what lies between its
 * driver and the doors by which it is opened, and how it goes away while open.
 */
export class EmulatedDevice implements GroupDevice {
  readonly emulated = true;
  readonly iommuGroup = undefined;
  #door: DeviceDoor | undefined;
  #openCount = 0;
  #goingAway = false;
  #whenClosed: (() => void) | undefined;
  #pins = new PagePins(() => undefined);

  /** Registers the device: its group and its node appear. */
  constructor(
    readonly name: string,
    private readonly ops: EmulatedDeviceOps,
    private readonly groups: VfioGroups,
    private readonly clock: KernelClock,
  ) {
    groups.register(this);
  }

  get openCount(): number {
    return this.#openCount;
  }

  get goingAway(): boolean {
    return this.#goingAway;
  }

  /** What is pinned of the user's storage. */
  get pins(): PagePins {
    return this.#pins;
  }

  /** The path of its group's node, `/dev/vfio/N`; `undefined` when it has gone. */
  get groupPath(): string | undefined {
    const group = this.groups.groupOf(this);
    return group && `/dev/vfio/${group.nodeName}`;
  }

  /** The path of its own node, `/dev/vfio/devices/vfioN`; `undefined` when it has gone. */
  get nodePath(): string | undefined {
    const node = this.groups.deviceNodes.find(({ device }) => device === this);
    return node && `/dev/vfio/devices/${node.name}`;
  }

  match(text: string): number {
    return text === this.name ? 1 : 0;
  }

  /** Opens the device, for the first or one more time. @throws VfioError */
  open(door: DeviceDoor): EmulatedDeviceFile {
    if (this.#goingAway) throw new VfioError('ENODEV', `${this.name}: the device is going away`);
    if (this.#openCount === 0) this.#firstOpen(door);
    else if (door.kind === 'cdev') throw new VfioError('EINVAL', `${this.name}: it is open`);
    this.#openCount += 1;
    return new EmulatedDeviceFile(this.name, this.ops, door, () => this.#close(door));
  }

  dmaUnmap(iova: bigint, size: bigint): void {
    this.ops.dmaUnmap(Number(iova), Number(size));
  }

  /** For kernels that tell drivers: the machine of its group is another one now. */
  kvmChanged(): void {
    if (this.#door !== undefined) this.ops.kvmChanged(kvmOf(this.#door));
  }

  /**
   * Takes the device away. While it is open its user is asked to let go, now and every ten seconds, and this blocks.
   *
   * @param closed called as soon as nobody has it open any more.
   */
  unregister(closed: () => void): Blocking<void> {
    this.#goingAway = true;
    this.groups.withdraw(this);
    const gone = (): void => {
      this.groups.unregister(this);
      closed();
    };
    if (this.#openCount === 0) {
      gone();
      return;
    }
    return new Promise((resolve) => {
      let cancel = (): void => {};
      this.#whenClosed = () => {
        cancel();
        gone();
        resolve();
      };
      const ask = (count: number): void => {
        cancel = this.clock.workAfter(REQUEST_INTERVAL, () => ask(count + 1));
        this.ops.request(count);
      };
      ask(0);
    });
  }

  #firstOpen(door: DeviceDoor): void {
    const refused = door.bind(this);
    if (refused !== 0) throw VfioError.fromErrno(refused, `${this.name}: its IOMMU side refuses`);
    this.#pins = new PagePins(() => door.pages);
    try {
      this.ops.open(kvmOf(door), this.#pins);
    } catch (error) {
      door.unbind(this);
      throw error;
    }
    this.#door = door;
  }

  #close(door: DeviceDoor): void {
    this.#openCount -= 1;
    if (this.#openCount > 0) return;
    this.ops.close();
    this.#door = undefined;
    door.unbind(this);
    this.#whenClosed?.();
  }
}

function kvmOf({ kvm }: DeviceDoor): Kvm | undefined {
  return kvm instanceof Kvm ? kvm : undefined;
}
