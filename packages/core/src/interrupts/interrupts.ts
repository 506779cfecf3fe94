import {
  PCI_CAP_ID_MSI,
  PCI_CAP_ID_MSIX,
  PCI_INTERRUPT_PIN,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_QMASK,
  PCI_MSIX_FLAGS,
  PCI_MSIX_FLAGS_QSIZE,
  type PciDevice,
} from '@vfiokit/pci';
import {
  EINVAL,
  type IoctlArgument,
  type Process,
  VFIO_IRQ_INFO_AUTOMASKED,
  VFIO_IRQ_INFO_EVENTFD,
  VFIO_IRQ_INFO_MASKABLE,
  VFIO_IRQ_INFO_NORESIZE,
  VFIO_PCI_ERR_IRQ_INDEX,
  VFIO_PCI_INTX_IRQ_INDEX,
  VFIO_PCI_MSI_IRQ_INDEX,
  VFIO_PCI_MSIX_IRQ_INDEX,
  VFIO_PCI_NUM_IRQS,
  VFIO_PCI_REQ_IRQ_INDEX,
} from '@vfiokit/uapi';
import { Intx, type IntxDevice, type IntxFunction } from './intx.js';
import { readIrqSet } from './irq-set.js';
import { MsiVectors, type VectorDevice, type VectorFunction } from './msi-vectors.js';
import { Notifier } from './notifier.js';

/** What the interrupts need to know of their device. */
export interface InterruptDevice extends IntxDevice, VectorDevice {
  readonly pdev: IntxFunction & VectorFunction & Pick<PciDevice, 'isPcie' | 'findCapability'>;
  readonly vconfig: Uint8Array;
  readonly err: Notifier;
  readonly req: Notifier;
  /** MSI was enabled with this many vectors; the user may configure no more. */
  msiEnabled(vectors: number): void;
}

/** What VFIO_DEVICE_GET_IRQ_INFO tells of an index. */
export interface IrqIndexInfo {
  readonly flags: number;
  readonly count: number;
}

/**
 * The interrupts of an open device. One of INTx, MSI and MSI-X may be active; ERR and REQ stand beside them.
 */
export class Interrupts {
  readonly intx: Intx;
  readonly msi: MsiVectors;
  readonly msix: MsiVectors;
  readonly #msiPosition: number;
  readonly #msixPosition: number;

  constructor(private readonly device: InterruptDevice) {
    this.#msiPosition = device.pdev.findCapability(PCI_CAP_ID_MSI);
    this.#msixPosition = device.pdev.findCapability(PCI_CAP_ID_MSIX);
    this.intx = new Intx(device);
    this.msi = new MsiVectors(device, 'msi', (vectors) => device.msiEnabled(vectors));
    this.msix = new MsiVectors(device, 'msix', () => {});
  }

  /** VFIO_DEVICE_GET_IRQ_INFO; `-EINVAL` for an index that the device has not. */
  info(index: number): IrqIndexInfo | number {
    const { pdev } = this.device;
    if (index < 0 || index >= VFIO_PCI_NUM_IRQS) return -EINVAL;
    if (index === VFIO_PCI_ERR_IRQ_INDEX && !pdev.isPcie) return -EINVAL;
    return { flags: this.#flags(index), count: this.count(index) };
  }

  /** How many interrupts an index has now: MSI and MSI-X are read from the device every time. */
  count(index: number): number {
    const { pdev, vconfig } = this.device;
    switch (index) {
      case VFIO_PCI_INTX_IRQ_INDEX:
        return vconfig[PCI_INTERRUPT_PIN] === 0 ? 0 : 1;
      case VFIO_PCI_MSI_IRQ_INDEX: {
        if (this.#msiPosition === 0) return 0;
        const flags = pdev.config.read(this.#msiPosition + PCI_MSI_FLAGS, 2);
        return 1 << ((flags & PCI_MSI_FLAGS_QMASK) >>> 1);
      }
      case VFIO_PCI_MSIX_IRQ_INDEX: {
        if (this.#msixPosition === 0) return 0;
        const flags = pdev.config.read(this.#msixPosition + PCI_MSIX_FLAGS, 2);
        return (flags & PCI_MSIX_FLAGS_QSIZE) + 1;
      }
      case VFIO_PCI_ERR_IRQ_INDEX:
        return pdev.isPcie ? 1 : 0;
      case VFIO_PCI_REQ_IRQ_INDEX:
        return 1;
      default:
        return 0;
    }
  }

  /** VFIO_DEVICE_SET_IRQS: 0, a negated errno, or the number of vectors where there are too few (quirk W13). */
  set(argument: IoctlArgument, caller: Process): number {
    const request = readIrqSet(argument, caller, VFIO_PCI_NUM_IRQS, (index) => this.count(index));
    if (typeof request === 'number') return request;
    const none = !(this.intx.active || this.msi.active || this.msix.active);
    switch (request.index) {
      case VFIO_PCI_INTX_IRQ_INDEX:
        return this.intx.set(request, none);
      case VFIO_PCI_MSI_IRQ_INDEX:
        return this.msi.set(request, none);
      case VFIO_PCI_MSIX_IRQ_INDEX:
        return this.msix.set(request, none);
      case VFIO_PCI_ERR_IRQ_INDEX:
        return this.device.err.set(request);
      default:
        return this.device.req.set(request);
    }
  }

  /** Disables whichever kind is active, as the last close does. */
  disable(): void {
    this.intx.disable();
    this.msi.disable();
    this.msix.disable();
  }

  #flags(index: number): number {
    if (index === VFIO_PCI_INTX_IRQ_INDEX)
      return VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED;
    const canGrow = this.#msixPosition !== 0 && this.device.pdev.msixDynamic;
    if (index === VFIO_PCI_MSIX_IRQ_INDEX && canGrow) return VFIO_IRQ_INFO_EVENTFD;
    return VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE;
  }
}
