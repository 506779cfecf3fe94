import type { PciDevice, PciIdPattern } from '@vfiokit/pci';
import type { DependencyContainer } from 'tsyringe';

/** An entry of a VFIO driver's id table. It always needs an override, so it does not say so. */
export type PciDeviceId = Omit<PciIdPattern, 'overrideOnly'>;

/**
 * A VFIO driver for PCI functions: plain vfio-pci, or one derived from it for a vendor's device. Token:
 * `VFIO_PCI_DRIVERS`. Contract suite: `describeDriver`.
 */
export interface VfioPciDriver {
  /** What `driver_override` has to say for the driver to be taken. */
  readonly name: string;
  /** Which functions it is meant for. Every entry counts only for functions whose `driver_override` names the driver. */
  readonly ids: readonly PciDeviceId[];
  /** The functions it refuses to be bound to are known to break under VFIO; only vfio-pci has such a list. */
  readonly denylist?: boolean;
  /** Lets VFs of its PFs be enabled through sysfs. */
  readonly sriov?: boolean;
  /** By how many bits region indexes are shifted in positions of the device's file; 40 if absent. */
  readonly offsetShift?: number;
  /** Device memory may be lent out as dma-buf; true if absent. */
  readonly dmaBuf?: boolean;
  /**
   * Looks at a function that is being bound and puts what it brings into the device's container.
   *
   * @throws VfioError to refuse the function.
   */
  probe?(pdev: PciDevice, container: DependencyContainer): void;
}
