import type { Blocking } from './blocking.js';
import type { Device } from './device.js';

/**
 * A driver as its author describes it (struct device_driver). Bus types extend it with their tables and pass the entry
 * that matched.
 */
export interface Driver<D extends Device> {
  /** Unique on its bus, and what an override is compared with, byte for byte. */
  readonly name: string;
  /** The module it came in, spelled with underscores; absent for a driver that names none. */
  readonly module?: string;
  /** No `bind` and `unbind` files. */
  readonly suppressBindAttrs?: boolean;
  /** Leaves DMA ownership of the IOMMU group to its user (driver_managed_dma): VFIO drivers, pci-stub, pcieport. */
  readonly managedDma?: boolean;
  /** Probed in a second round when a device is new (PROBE_PREFER_ASYNCHRONOUS). */
  readonly asyncProbe?: boolean;
  /** Lets go of a device; cannot fail. A promise is a removal that is blocked by a user. */
  remove?(device: D): Blocking<void>;
  /**
   * The veto of a bus: asked before the bus takes something away from under the driver, such as a queue that a guest
   * uses. Anything but 0 refuses (ap_bus.h: in_use).
   */
  inUse?(resource: unknown): number;
}
