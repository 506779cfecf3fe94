import { EINVAL, EIO } from '@vfiokit/uapi';
import {
  PCI_SRIOV_BAR,
  PCI_SRIOV_CTRL,
  PCI_SRIOV_CTRL_MSE,
  PCI_SRIOV_CTRL_VFE,
  PCI_SRIOV_INITIAL_VF,
  PCI_SRIOV_NUM_BARS,
  PCI_SRIOV_NUM_VF,
  PCI_SRIOV_SYS_PGSIZE,
  PCI_SRIOV_TOTAL_VF,
  PCI_SRIOV_VF_DID,
  PCI_SRIOV_VF_OFFSET,
  PCI_SRIOV_VF_STRIDE,
} from '../regs/index.js';
import type { PciDevice } from './pci-device.js';
import { NO_RESOURCE, PCI_IOV_RESOURCES, PciResource } from './pci-resource.js';

/** What SR-IOV tells the machine to do. */
export interface VirtualFunctionBus {
  /** Adds the VFs that now exist; 0 or a negated errno. */
  addVirtualFunctions(pf: PciDevice): number;
  /** Removes them before they go. */
  removeVirtualFunctions(pf: PciDevice): void;
}

/** SR-IOV of a physical function as the host runs it (drivers/pci/iov.c). */
export class Sriov {
  readonly totalVfs: number;
  /** Device id of the VFs. */
  readonly vfDevice: number;
  readonly #at: number;
  /** Registers that are written back after a reset: control, page size, VF BARs. */
  #control: number;
  #numVfs: number;
  readonly #pageSize: number;
  readonly #bars: readonly number[];

  constructor(
    private readonly device: PciDevice,
    at: number,
    private readonly bus: VirtualFunctionBus,
  ) {
    const { config } = device;
    this.#at = at;
    this.totalVfs = config.read(at + PCI_SRIOV_TOTAL_VF, 2);
    this.vfDevice = config.read(at + PCI_SRIOV_VF_DID, 2);
    this.#control = config.read(at + PCI_SRIOV_CTRL, 2);
    const isEnabled = (this.#control & PCI_SRIOV_CTRL_VFE) !== 0;
    this.#numVfs = isEnabled ? config.read(at + PCI_SRIOV_NUM_VF, 2) : 0;
    this.#pageSize = config.read(at + PCI_SRIOV_SYS_PGSIZE, 4);
    this.#bars = Array.from({ length: PCI_SRIOV_NUM_BARS }, (_, bar) =>
      config.read(at + PCI_SRIOV_BAR + 4 * bar, 4),
    );
  }

  /** How many VFs there are now. */
  get numVfs(): number {
    return this.#numVfs;
  }

  /** Creates VFs; 0, `-EINVAL` for too many or while there are some, `-EIO`, or the platform's (pci_enable_sriov). */
  enable(count: number): number {
    const { device } = this;
    const { config } = device;
    if (count === 0) return 0;
    if (this.numVfs > 0 || count < 0) return -EINVAL;
    const initial = config.read(this.#at + PCI_SRIOV_INITIAL_VF, 2);
    if (initial > this.totalVfs) return -EIO;
    if (count > this.totalVfs) return -EINVAL;
    const refused = device.platform.enableVfs?.(device, count) ?? 0;
    if (refused < 0) return refused;
    this.#setNumVfs(count);
    this.#setControl(this.#control | PCI_SRIOV_CTRL_VFE | PCI_SRIOV_CTRL_MSE);
    const error = this.bus.addVirtualFunctions(device);
    if (error < 0) this.#turnOff();
    return error;
  }

  /** Removes every VF (pci_disable_sriov). */
  disable(): void {
    if (this.numVfs === 0) return;
    this.bus.removeVirtualFunctions(this.device);
    this.#turnOff();
  }

  /** Writes the registers back after a reset (pci_restore_iov_state). */
  restore(): void {
    const { config } = this.device;
    if ((config.read(this.#at + PCI_SRIOV_CTRL, 2) & PCI_SRIOV_CTRL_VFE) !== 0) return;
    for (const [index, value] of this.#bars.entries())
      config.write(this.#at + PCI_SRIOV_BAR + 4 * index, 4, value);
    config.write(this.#at + PCI_SRIOV_SYS_PGSIZE, 4, this.#pageSize);
    this.#setNumVfs(this.#numVfs);
    config.write(this.#at + PCI_SRIOV_CTRL, 2, this.#control);
  }

  /** A resource of a VF: its share of the PF's VF BAR. */
  vfResource(vf: number, index: number): PciResource {
    const all = this.device.resources[PCI_IOV_RESOURCES + index] ?? NO_RESOURCE;
    if (all.length === 0) return NO_RESOURCE;
    const size = all.length / this.totalVfs;
    return new PciResource(all.start + BigInt(vf) * BigInt(size), size, all.flags);
  }

  #turnOff(): void {
    this.#setControl(this.#control & ~(PCI_SRIOV_CTRL_VFE | PCI_SRIOV_CTRL_MSE));
    this.#setNumVfs(0);
  }

  #setControl(control: number): void {
    this.#control = control;
    this.device.config.write(this.#at + PCI_SRIOV_CTRL, 2, control);
  }

  /** The number of VFs decides where they are, so offset and stride are read after it. */
  #setNumVfs(count: number): void {
    const { config } = this.device;
    this.#numVfs = count;
    config.write(this.#at + PCI_SRIOV_NUM_VF, 2, count);
    config.read(this.#at + PCI_SRIOV_VF_OFFSET, 2);
    config.read(this.#at + PCI_SRIOV_VF_STRIDE, 2);
  }
}
