import {
  EventFd,
  encodeIrqSet,
  errnoName,
  type Process,
  VFIO_AP_CFG_CHG_IRQ_INDEX,
  VFIO_AP_REQ_IRQ_INDEX,
  VFIO_DEVICE_RESET,
  VFIO_DEVICE_SET_IRQS,
  VfioError,
} from '@vfiokit/uapi';
import type { KvmVfio } from '../kvm/kvm-vfio.js';
import type { VfioDeviceFile } from '../vfio/device-file.js';
import type { CdevFile, EmulatedDevice, GroupFile } from '../vfio/emulated-device.js';

/** By which files a VMM opens the device. */
export type VfioDoor = 'group' | 'cdev';

/** What the VMM does when the device has something to say. */
export interface VfioApDeviceEvents {
  /** The host wants the device back. */
  readonly requested: () => void;
  /** The guest's matrix has changed. */
  readonly configChanged: () => void;
}

/** QEMU's `vfio-ap` device, realized: an open VFIO device, associated with the machine, with its eventfds (hw/vfio/ap.c). */
export class VfioApDevice implements Disposable {
  readonly #fds: number[] = [];
  readonly #file: VfioDeviceFile;
  readonly #warnings: string[] = [];

  /**
   * Realizes the device. The machine is associated before the device is opened, because the open looks for it.
   *
   * @throws VfioError with the kernel's errno; nothing stays open then.
   */
  constructor(
    readonly device: EmulatedDevice,
    private readonly process: Process,
    private readonly kvmVfio: KvmVfio,
    events: VfioApDeviceEvents,
    readonly door: VfioDoor = 'group',
  ) {
    const opened = door === 'group' ? device.openGroup() : device.openCdev();
    const fd = this.#install(opened);
    const added = kvmVfio.fileAdd(fd, process);
    try {
      if (added < 0)
        throw new VfioError('EINVAL', `${device.name}: KVM refuses the file: ${errnoName(added)}`);
      this.#file = openThrough(opened);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
    if (door === 'group') this.#install(this.#file);
    this.#registerIrq(VFIO_AP_REQ_IRQ_INDEX, events.requested);
    this.#registerIrq(VFIO_AP_CFG_CHG_IRQ_INDEX, events.configChanged);
  }

  /** What did not work and does not keep the device from working: eventfds that an old kernel does not have. */
  get warnings(): readonly string[] {
    return this.#warnings;
  }

  /** VFIO_DEVICE_RESET: 0 or a negated errno, which a machine's reset only reports. */
  reset(): number {
    return this.#file.ioctl(VFIO_DEVICE_RESET, 0, this.process);
  }

  /** Takes the device out of the machine: everything is closed, the last opened first. */
  [Symbol.dispose](): void {
    const [first, ...rest] = this.#fds;
    if (first === undefined) return;
    this.#fds.length = 0;
    for (const fd of rest.reverse()) this.process.fds.close(fd);
    this.kvmVfio.fileDel(first, this.process);
    this.process.fds.close(first);
  }

  #install(file: GroupFile | CdevFile | VfioDeviceFile | EventFd): number {
    const fd = this.process.fds.install(file);
    this.#fds.push(fd);
    return fd;
  }

  #registerIrq(index: number, sink: () => void): void {
    const fd = this.#install(new EventFd(sink));
    const result = this.#file.ioctl(
      VFIO_DEVICE_SET_IRQS,
      encodeIrqSet({ index, action: 'trigger', data: { fds: [fd] } }),
      this.process,
    );
    if (result < 0)
      this.#warnings.push(`${this.device.name}: interrupt ${index}: ${errnoName(result)}`);
  }
}

function openThrough(file: GroupFile | CdevFile): VfioDeviceFile {
  return file.kind === 'group' ? file.openDevice() : file.bind();
}
