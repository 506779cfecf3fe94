import type { Driver } from '../driver.js';
import type { PciBusDevice } from './pci-bus-device.js';
import type { PciIdEntry } from './pci-id-table.js';

/** A driver for PCI functions (struct pci_driver). */
export interface PciDriver extends Driver<PciBusDevice> {
  /** In the order in which entries are tried. Absent is no table at all, unlike an empty one. */
  readonly ids?: readonly PciIdEntry[];
  /** Takes a device: 0, above 0 (a success that the kernel warns of), or a negated errno. */
  probe(device: PciBusDevice, id: PciIdEntry): number;
  /**
   * A write to `sriov_numvfs` that gets as far as the driver: the number of VFs there are then, or a negated errno. It
   * enables them with {@link PciDriverBus.enableVfs}; 0 takes them away.
   */
  sriovConfigure?(device: PciBusDevice, count: number): number | Promise<number>;
  /** Gives a VF its number of MSI-X vectors: 0 or a negated errno. */
  setVfMsixCount?(vf: PciBusDevice, count: number): number;
}
