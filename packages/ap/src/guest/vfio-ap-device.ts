import type { DevVfio, KvmVfio } from '@vfiokit/iommu';
import {
  EventFd,
  encodeIrqSet,
  errnoName,
  type Process,
  VFIO_AP_CFG_CHG_IRQ_INDEX,
  VFIO_AP_REQ_IRQ_INDEX,
  VFIO_DEVICE_RESET,
  VFIO_DEVICE_SET_IRQS,
  type VfioDevice,
} from '@vfiokit/uapi';
import type { Kvm } from '../kvm/kvm.js';
import type { EmulatedDevice } from '../vfio/emulated-device.js';
import { openVmmFiles, type VfioDoor, type VmmFiles } from './vmm-files.js';

/** What the VMM does when the device has something to say. */
export interface VfioApDeviceEvents {
  /** The host wants the device back. */
  readonly requested: () => void;
  /** The guest's matrix has changed. */
  readonly configChanged: () => void;
}

/** QEMU's `vfio-ap` device, realized: an open VFIO device, tied to the machine, with its eventfds (hw/vfio/ap.c). */
export class VfioApDevice implements Disposable {
  readonly #process: Process;
  readonly #files: VmmFiles;
  readonly #file: VfioDevice;
  readonly #eventFds: number[] = [];
  readonly #warnings: string[] = [];

  /**
   * Realizes the device. The machine is tied to it before it is opened, because the open looks for it.
   *
   * @throws VfioError with the kernel's errno; nothing stays open then.
   */
  constructor(
    dev: DevVfio,
    readonly device: EmulatedDevice,
    kvm: Kvm,
    kvmVfio: KvmVfio,
    events: VfioApDeviceEvents,
    readonly door: VfioDoor = 'group',
  ) {
    this.#process = kvm.process;
    this.#files = openVmmFiles(door, dev, device, kvm);
    try {
      this.#files.addToKvm(kvmVfio);
      this.#file = this.#files.openDevice();
    } catch (error) {
      this.#files.close();
      throw error;
    }
    this.#registerIrq(VFIO_AP_REQ_IRQ_INDEX, events.requested);
    this.#registerIrq(VFIO_AP_CFG_CHG_IRQ_INDEX, events.configChanged);
  }

  /** What did not work and does not keep the device from working: eventfds that an old kernel does not have. */
  get warnings(): readonly string[] {
    return this.#warnings;
  }

  /** VFIO_DEVICE_RESET: 0 or a negated errno, which a machine's reset only reports. */
  reset(): number {
    return this.#file.ioctl(VFIO_DEVICE_RESET, 0, this.#process);
  }

  /** Takes a piece of the guest's storage out of what is mapped for the device. */
  unmap(iova: number): void {
    this.#files.unmap(iova);
  }

  /** Takes the device out of the machine: everything is closed. */
  [Symbol.dispose](): void {
    for (const fd of this.#eventFds.splice(0)) this.#process.fds.close(fd);
    this.#files.close();
  }

  #registerIrq(index: number, sink: () => void): void {
    const fd = this.#process.fds.install(new EventFd(sink));
    this.#eventFds.push(fd);
    const result = this.#file.ioctl(
      VFIO_DEVICE_SET_IRQS,
      encodeIrqSet({ index, action: 'trigger', data: { fds: [fd] } }),
      this.#process,
    );
    if (result < 0)
      this.#warnings.push(`${this.device.name}: interrupt ${index}: ${errnoName(result)}`);
  }
}
