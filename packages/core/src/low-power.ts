import type { RuntimePm } from '@vfiokit/pci';
import { EINVAL, type EventFd } from '@vfiokit/uapi';
import type { MemoryLock } from './memory-lock.js';

/** What of an open device {@link LowPower} puts to sleep and wakes. */
export interface LowPowerDevice {
  readonly runtimePm: RuntimePm;
  readonly memoryLock: MemoryLock;
  suspendMemory(): void;
  resumeMemory(): void;
  /** Masks INTx if it is active; true if that changed something. */
  maskActiveIntx(): boolean;
  unmaskIntx(): void;
}

/**
 * The user's wish that the device be suspended while nobody uses it (VFIO_DEVICE_FEATURE_LOW_POWER_*;
 * vfio_pci_core.c: vfio_pci_runtime_pm_entry and its siblings).
 */
export class LowPower {
  #engaged = false;
  #wakeup: EventFd | undefined;
  #intxMasked = false;

  constructor(private readonly device: LowPowerDevice) {}

  get engaged(): boolean {
    return this.#engaged;
  }

  /** 0, or `-EINVAL` if it is engaged already. The device sleeps when the call that asked for it is over. */
  enter(wakeup?: EventFd): number {
    const { memoryLock, runtimePm } = this.device;
    return memoryLock.run(() => {
      this.device.suspendMemory();
      if (this.#engaged) return -EINVAL;
      this.#engaged = true;
      this.#wakeup = wakeup;
      runtimePm.putNoidle();
      return 0;
    });
  }

  /** Always succeeds. */
  exit(): void {
    this.device.memoryLock.run(() => {
      this.#leave();
      this.device.resumeMemory();
    });
  }

  /** The device is about to sleep: its line must not be asserted meanwhile (vfio_pci_core_runtime_suspend). */
  suspended(): void {
    this.#intxMasked = this.device.maskActiveIntx();
  }

  /** The device is awake: whoever asked to be woken has to enter again (vfio_pci_core_runtime_resume, quirk W22). */
  resumed(): void {
    if (this.#wakeup !== undefined) {
      this.#wakeup.signal();
      this.#leave();
    }
    if (this.#intxMasked) this.device.unmaskIntx();
    this.#intxMasked = false;
  }

  #leave(): void {
    if (!this.#engaged) return;
    this.#engaged = false;
    this.device.runtimePm.getNoresume();
    this.#wakeup = undefined;
  }
}
