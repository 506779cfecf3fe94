import { IRQ_NOTCONNECTED, PCI_COMMAND, PCI_STATUS_INTERRUPT, type PciDevice } from '@vfiokit/pci';
import { EINVAL, ENODEV, ENOTTY, EventFd } from '@vfiokit/uapi';
import type { IrqRequest } from './irq-set.js';
import { Irqfd } from './irqfd.js';

/** The host's side of a line interrupt. */
export type IntxFunction = Pick<
  PciDevice,
  'config' | 'irq' | 'intx' | 'requestIrq' | 'freeIrq' | 'disableIrq' | 'enableIrq'
>;

/** What INTx needs to know of its device. */
export interface IntxDevice {
  readonly pdev: IntxFunction;
  /** DisINTx works and is ours to use, so that the line may be shared (`pci_2_3`). */
  readonly canMaskAtDevice: boolean;
  /** The user's virtual DisINTx bit. */
  readonly virqDisabled: boolean;
}

/** INTx while it is enabled: one interrupt, level triggered, masked on every delivery (vfio_pci_intrs.c). */
interface IntxContext {
  trigger: EventFd | undefined;
  /** The one reason for being masked that there is: by ioctl, by DisINTx or by delivery (quirk W11). */
  masked: boolean;
  readonly unmask: Irqfd;
}

/** The INTx line of a device: off, or on with a mask, a trigger and perhaps an unmask eventfd. */
export class Intx {
  #context: IntxContext | undefined;

  constructor(private readonly device: IntxDevice) {}

  get active(): boolean {
    return this.#context !== undefined;
  }

  /** SET_IRQS on index 0. `mayEnable` says that no other kind of interrupt is active. */
  set(request: IrqRequest, mayEnable: boolean): number {
    switch (request.action) {
      case 'mask':
        return this.#setMask(request);
      case 'unmask':
        return this.#setUnmask(request);
      case 'trigger':
        return this.#setTrigger(request, mayEnable);
      default:
        return -ENOTTY;
    }
  }

  /** Masks the interrupt; true if it was not masked before (vfio_pci_intx_mask). */
  mask(): boolean {
    const { pdev, canMaskAtDevice } = this.device;
    const context = this.#context;
    if (context === undefined) {
      if (canMaskAtDevice) pdev.intx(false);
      return false;
    }
    if (context.masked) return false;
    if (canMaskAtDevice) pdev.intx(false);
    else pdev.disableIrq();
    context.masked = true;
    return true;
  }

  /** Unmasks the interrupt, and signals it where the line is still asserted (vfio_pci_intx_unmask). */
  unmask(): void {
    if (this.#unmaskOrStillPending()) this.#signal();
  }

  /** Frees the line (vfio_intx_disable). DisINTx stays as it is. */
  disable(): void {
    const context = this.#context;
    if (context === undefined) return;
    context.unmask.remove();
    this.device.pdev.freeIrq();
    this.#context = undefined;
  }

  #setMask({ start, count, data }: IrqRequest): number {
    if (!this.active || start !== 0 || count !== 1) return -EINVAL;
    if (data.kind === 'eventfd') return -ENOTTY;
    if (data.kind === 'none' || data.values[0] !== 0) this.mask();
    return 0;
  }

  #setUnmask({ start, count, data, caller }: IrqRequest): number {
    const context = this.#context;
    if (context === undefined || start !== 0 || count !== 1) return -EINVAL;
    if (data.kind === 'eventfd') {
      const fd = data.fds[0]!;
      if (fd >= 0) return context.unmask.install(fd, caller);
      context.unmask.remove();
      return 0;
    }
    if (data.kind === 'none' || data.values[0] !== 0) this.unmask();
    return 0;
  }

  #setTrigger(request: IrqRequest, mayEnable: boolean): number {
    const { start, count, data, caller } = request;
    if (this.active && count === 0 && data.kind === 'none') {
      this.disable();
      return 0;
    }
    if (!(this.active || mayEnable) || start !== 0 || count !== 1) return -EINVAL;
    if (data.kind === 'eventfd') {
      const fd = data.fds[0]!;
      const trigger = fd < 0 ? undefined : caller.fds.eventFd(fd);
      if (typeof trigger === 'number') return trigger;
      if (this.#context === undefined) return this.#enable(trigger);
      this.#context.trigger = trigger;
      return 0;
    }
    if (!this.active) return -EINVAL;
    if (data.kind === 'none' || data.values[0] !== 0) this.#signal();
    return 0;
  }

  /** Takes the line: shared where the device can be masked, else exclusively (vfio_intx_enable). */
  #enable(trigger: EventFd | undefined): number {
    const { pdev, canMaskAtDevice, virqDisabled } = this.device;
    if (pdev.irq === 0 || pdev.irq === IRQ_NOTCONNECTED) return -ENODEV;
    const context: IntxContext = {
      trigger,
      masked: virqDisabled,
      unmask: new Irqfd(() => this.unmask()),
    };
    this.#context = context;
    if (canMaskAtDevice) pdev.intx(!context.masked);
    const error = pdev.requestIrq(() => this.#handle(), { shared: canMaskAtDevice });
    if (error < 0) {
      this.#context = undefined;
      return error;
    }
    if (!canMaskAtDevice && context.masked) pdev.disableIrq();
    return 0;
  }

  /** The line is asserted: ours only if the device says so, when it may be another's (vfio_intx_handler). */
  #handle(): boolean {
    const { pdev, canMaskAtDevice } = this.device;
    const context = this.#context;
    if (context === undefined) return false;
    if (!canMaskAtDevice) {
      pdev.disableIrq();
      context.masked = true;
    } else {
      if (context.masked || !this.#pending()) return false;
      pdev.intx(false);
      context.masked = true;
    }
    this.#signal();
    return true;
  }

  #unmaskOrStillPending(): boolean {
    const { pdev, canMaskAtDevice, virqDisabled } = this.device;
    const context = this.#context;
    if (context === undefined) {
      if (canMaskAtDevice) pdev.intx(true);
      return false;
    }
    if (!context.masked || virqDisabled) return false;
    if (canMaskAtDevice && this.#pending()) return true;
    context.masked = false;
    if (canMaskAtDevice) pdev.intx(true);
    else pdev.enableIrq();
    return false;
  }

  #pending(): boolean {
    // One access gets COMMAND and STATUS, as the kernel's does (pci_check_and_mask_intx).
    const both = this.device.pdev.config.read(PCI_COMMAND, 4);
    return both >= 0 && (both & (PCI_STATUS_INTERRUPT << 16)) !== 0;
  }

  #signal(): void {
    if (!this.device.virqDisabled) this.#context?.trigger?.signal();
  }
}
